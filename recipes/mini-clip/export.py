"""Writes the ONNX files, the tokenizer and the configuration in the hub layout of CLIP models.

    python export.py [--checkpoint FILE] [--ema] [--out DIR]

The graphs are built by hand: batch norms are folded into the convolutions, weights are stored as float16 (the
embedding rows as int8 with a scale each) and cast to float32 when the model is loaded, so that all arithmetic is
float32 and a picture's embedding does not depend on its batch. Ends with a check against PyTorch.
"""
import argparse
import base64
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from torch import nn

import common
from common import DIM, MAX_TOKENS, MODEL_DIR, PAD, SIDE, VOCAB, WORK
from model import PictureTower, Memory, TextTower

TOLERANCE = 5e-3
MODEL_FILES = ["vision_model.onnx", "text_model.onnx", "config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"]


class Graph:
    def __init__(self):
        self.nodes, self.weights = [], []

    def op(self, kind, *inputs, **attributes):
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def const(self, value):
        name = f"c_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def half(self, value):
        """A weight kept as float16 in the file and as float32 in memory."""
        return self.op("Cast", self.const(value.detach().numpy().astype(np.float16)), to=TensorProto.FLOAT)

    def normalised(self, x, output):
        length = self.op("ReduceL2", x, axes=[1], keepdims=1)
        self.nodes.append(helper.make_node("Div", [x, self.op("Max", length, self.const(np.float32(1e-12)))], [output]))
        return output

    def memory(self, x, layer, output):
        x = self.normalised(x, f"{output}_first")
        emoji = self.half(layer.emoji)
        scores = self.op("MatMul", x, self.op("Mul", self.op("Transpose", emoji, perm=[1, 0]), self.const(np.float32(layer.sharpness))))
        near = self.op("MatMul", self.op("Softmax", scores, axis=1), emoji)
        self.normalised(self.op("Add", x, self.op("Mul", near, self.const(np.float32(layer.strength)))), output)

    def save(self, path, name, inputs, output):
        graph = helper.make_graph(self.nodes, name, inputs, [output], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="pairmill mini-clip")
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def export_picture(tower, memory, path):
    g = Graph()

    def conv(x, layer):
        bn = layer.bn
        k = bn.weight / torch.sqrt(bn.running_var + bn.eps)
        stride = layer.conv.stride[0]
        weight, bias = layer.conv.weight * k[:, None, None, None], bn.bias - bn.running_mean * k
        return g.op("Conv", x, g.half(weight), g.half(bias), kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[stride, stride])

    x = g.op("Relu", conv("pixel_values", tower.stem))
    for stage in tower.stages:
        if len(stage) > 1:
            x = g.op("Relu", conv(x, stage[0]))
        block = stage[-1]
        inner = conv(g.op("Relu", conv(x, block.a)), block.b)
        x = g.op("Relu", g.op("Add", x, inner))
    pooled = [g.op("ReduceMean", x, axes=[2, 3], keepdims=0), g.op("ReduceMax", x, axes=[2, 3], keepdims=0)]
    x = g.op("Concat", *pooled, axis=1)
    k = tower.bn.weight / torch.sqrt(tower.bn.running_var + tower.bn.eps)
    weight = tower.head.weight * k[None]
    bias = tower.head.bias + tower.head.weight @ (tower.bn.bias - tower.bn.running_mean * k)
    x = g.op("Add", g.op("MatMul", x, g.half(weight.T)), g.half(bias))
    g.memory(x, memory, "image_embeds")
    pixels = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])
    g.save(path, "vision_model", [pixels], helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, ["batch", DIM]))


def export_text(tower, memory, path):
    g = Graph()
    rows = tower.embedding.weight.detach().numpy()
    scale = np.maximum(np.abs(rows).max(1, keepdims=True), 1e-8) / 127
    quantised = np.clip(np.round(rows / scale), -127, 127).astype(np.int8)
    linear = lambda x, layer: g.op("Add", g.op("MatMul", x, g.half(layer.weight.T)), g.half(layer.bias))

    def gelu(x):
        erf = g.op("Erf", g.op("Mul", x, g.const(np.float32(math.sqrt(0.5)))))
        return g.op("Mul", g.op("Mul", x, g.const(np.float32(0.5))), g.op("Add", erf, g.const(np.float32(1))))

    ints = lambda *v: g.const(np.array(v, np.int64))
    keep = g.op("Unsqueeze", g.op("Cast", "attention_mask", to=TensorProto.FLOAT), ints(2))
    x = g.op("Cast", g.op("Gather", g.const(quantised), "input_ids"), to=TensorProto.FLOAT)
    x = g.op("Mul", x, g.op("Cast", g.op("Gather", g.const(scale.astype(np.float32)), "input_ids"), to=TensorProto.FLOAT))
    x = g.op("Mul", x, keep)
    end = np.iinfo(np.int64).max
    left = g.op("Slice", g.op("Pad", x, ints(0, 1, 0, 0, 0, 0)), ints(0), ints(-1), ints(1))
    right = g.op("Slice", g.op("Pad", x, ints(0, 0, 0, 0, 1, 0)), ints(1), ints(end), ints(1))
    mixed = gelu(linear(g.op("Concat", left, x, right, axis=2), tower.mix))
    norm = tower.norm
    x = g.op("LayerNormalization", g.op("Add", x, mixed), g.half(norm.weight), g.half(norm.bias), axis=-1, epsilon=norm.eps)
    hidden_mask = g.op("Mul", g.op("Sub", keep, g.const(np.float32(1))), g.const(np.float32(1e4)))
    weights = g.op("Softmax", g.op("Add", linear(x, tower.score), hidden_mask), axis=1)
    pooled = g.op("MatMul", g.op("Transpose", weights, perm=[0, 2, 1]), x)
    flat = g.op("Reshape", pooled, ints(0, tower.hidden.in_features))
    g.memory(linear(gelu(linear(flat, tower.hidden)), tower.head), memory, "text_embeds")
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "sequence"]) for n in ("input_ids", "attention_mask")]
    g.save(path, "text_model", inputs, helper.make_tensor_value_info("text_embeds", TensorProto.FLOAT, ["batch", DIM]))


def load(checkpoint, ema=False):
    """The towers of a checkpoint, ready for inference; `ema` for one from the middle of the joint phase."""
    state = torch.load(checkpoint, weights_only=True)
    picture, text = PictureTower(), TextTower()
    picture.load_state_dict(state["picture"])
    text.load_state_dict(state["text"])
    if ema:
        from train import Ema

        means = Ema([picture, text])
        for mean, saved in zip(means.mean, state["ema"], strict=True):
            mean.copy_(saved)
        means.put()
    w = torch.nn.functional.normalize(state["w"], dim=1)
    memories = []
    for settings in (common.PICTURE_MEMORY, common.TEXT_MEMORY):
        memories.append(Memory(len(w), *settings))
        memories[-1].emoji.copy_(w)
    return nn.Sequential(picture, memories[0]).eval(), WithMemory(text, memories[1]).eval()


class WithMemory(nn.Module):
    def __init__(self, text, memory):
        super().__init__()
        self.text, self.memory = text, memory

    def forward(self, ids, mask):
        return self.memory(self.text(ids, mask))


def write_configs(out, tokenizer_file):
    dump = lambda name, value: (out / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    old = json.loads((out / "config.json").read_text()) if (out / "config.json").exists() else {}
    dump(
        "config.json",
        {
            "model_type": "clip",
            "architectures": ["CLIPModel"],
            "_name_or_path": "pairmill/mini",
            "projection_dim": DIM,
            "vision_config": {"image_size": SIDE, "num_channels": 3, "projection_dim": DIM},
            "text_config": {
                "vocab_size": VOCAB,
                "max_position_embeddings": MAX_TOKENS,
                "projection_dim": DIM,
                "bos_token_id": common.START,
                "pad_token_id": PAD,
            },
            # evaluate.py puts the threshold in.
            "pairmill": old.get("pairmill", {"threshold": {"en": 0.16, "multi": 0.16, "nolang": 0.16}}),
        },
    )
    dump(
        "preprocessor_config.json",
        {
            "image_processor_type": "CLIPImageProcessor",
            "do_convert_rgb": True,
            "do_resize": True,
            # Height and width both given: the picture is squashed to a square, not cropped.
            "size": {"height": SIDE, "width": SIDE},
            "resample": 3,
            "do_center_crop": False,
            "crop_size": {"height": SIDE, "width": SIDE},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.25, 0.25, 0.25],
        },
    )
    dump(
        "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": MAX_TOKENS,
            "bos_token": "<s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "padding_side": "right",
            "truncation_side": "right",
            "clean_up_tokenization_spaces": False,
        },
    )
    value = json.loads(Path(tokenizer_file).read_text(encoding="utf-8"))
    (out / "tokenizer.json").write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


class Exported:
    """The exported files, as a user of onnxruntime sees them."""

    def __init__(self, folder, threads=2):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.vision = ort.InferenceSession(str(folder / "vision_model.onnx"), options, providers=["CPUExecutionProvider"])
        self.text = ort.InferenceSession(str(folder / "text_model.onnx"), options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def pictures(self, pixels, batch=64):
        """uint8 [n, 64, 64, 3] to embeddings."""
        out = []
        for i in range(0, len(pixels), batch):
            x = (pixels[i : i + batch].astype(np.float32) / 255 - 0.5) / 0.25
            out.append(self.vision.run(None, {"pixel_values": np.ascontiguousarray(x.transpose(0, 3, 1, 2))})[0])
        return np.concatenate(out)

    def texts(self, strings, batch=256):
        out = []
        for i in range(0, len(strings), batch):
            ids, mask = common.encode(self.tokenizer, strings[i : i + batch])
            out.append(self.text.run(None, {"input_ids": ids, "attention_mask": mask})[0])
        return np.concatenate(out)


class Trained:
    """The same through PyTorch."""

    def __init__(self, picture, text, tokenizer):
        self.picture, self.text, self.tokenizer = picture, text, tokenizer

    @torch.no_grad()
    def pictures(self, pixels, batch=256):
        out = []
        for i in range(0, len(pixels), batch):
            x = torch.from_numpy(pixels[i : i + batch]).permute(0, 3, 1, 2).float()
            out.append(self.picture((x / 255 - 0.5) / 0.25))
        return torch.cat(out).numpy()

    @torch.no_grad()
    def texts(self, strings, batch=512):
        out = []
        for i in range(0, len(strings), batch):
            ids, mask = common.encode(self.tokenizer, strings[i : i + batch])
            out.append(self.text(torch.from_numpy(ids), torch.from_numpy(mask)))
        return torch.cat(out).numpy()


def write_checksums(out):
    files = [f for f in MODEL_FILES if (out / f).exists()] + sorted(str(p.relative_to(out)) for p in (out / "heads").glob("*.safetensors"))
    sums = {f: hashlib.sha256((out / f).read_bytes()).hexdigest() for f in files}
    (out / "checksums.json").write_text(json.dumps(sums, indent=2) + "\n")


def write_golden(file, difference, tokenizer, strings, pixels, from_torch):
    """What test/models/mini-golden.test.ts compares with: token ids, and PyTorch's embeddings of a few texts and pictures."""
    rounded = lambda rows: [[round(float(v), 6) for v in row] for row in rows]
    step = 5 * (len(strings) // 500)
    golden = {
        "max_difference": difference,
        "tolerance": TOLERANCE,
        "tokens": [{"text": s, "ids": tokenizer.encode(s).ids} for s in strings[::step]],
        "texts": [{"text": s, "embedding": e} for s, e in zip(strings[::200], rounded(from_torch[1][::200]))],
        "pictures": [
            {"rgb": base64.b64encode(p.tobytes()).decode(), "side": SIDE, "embedding": e}
            for p, e in zip(pixels[::400], rounded(from_torch[0][::400]))
        ],
    }
    body = json.dumps(golden, ensure_ascii=False, separators=(",", ":"))
    file.write_text(body.replace('},{"text"', '},\n{"text"').replace('},{"rgb"', '},\n{"rgb"') + "\n", encoding="utf-8")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--checkpoint", type=Path, default=WORK / "run" / "after-final.pt")
    args.add_argument("--ema", action="store_true", help="the checkpoint is from the middle of the joint phase")
    args.add_argument("--out", type=Path, default=MODEL_DIR)
    args.add_argument("--golden", type=Path, default=common.GOLDEN)
    args = args.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    picture, text = load(args.checkpoint, args.ema)
    export_picture(picture[0], picture[1], args.out / "vision_model.onnx")
    export_text(text.text, text.memory, args.out / "text_model.onnx")
    write_configs(args.out, args.checkpoint.parent / "tokenizer.json")
    write_checksums(args.out)

    exported = Exported(args.out)
    trained = Trained(picture, text, exported.tokenizer)
    pixels = common.eval_pictures("noto-v1", "varied")[1][:512]
    strings = [t["label"] for t in common.texts()[::53]]
    of_pictures, of_texts = exported.pictures(pixels), exported.texts(strings)
    from_torch = trained.pictures(pixels), trained.texts(strings)
    difference = {
        "picture": float(np.abs(of_pictures - from_torch[0]).max()),
        "text": float(np.abs(of_texts - from_torch[1]).max()),
        "picture_batch_1_or_64": float(np.abs(exported.pictures(pixels[:64], batch=1) - of_pictures[:64]).max()),
        "text_batch_1_or_256": float(np.abs(exported.texts(strings[:256], batch=1) - of_texts[:256]).max()),
    }
    write_golden(args.golden, difference, exported.tokenizer, strings, pixels, from_torch)
    size = sum(p.stat().st_size for p in args.out.rglob("*") if p.is_file())
    print(f"max difference to PyTorch: {difference}; {size / 1e6:.2f} MB in all")
    if max(difference["picture"], difference["text"]) > TOLERANCE or size > 16e6:
        raise SystemExit("the export differs too much from PyTorch, or is over 16 MB")


if __name__ == "__main__":
    main()

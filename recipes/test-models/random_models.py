"""Models of the true architecture and tokenizer with random weights, laid out as the hub's folders of ONNX files are. No
weights of CLIP can be had without internet: these stand in for them wherever speed, memory and equality are at issue.

  python random_models.py KIND FOLDER    KIND: tiny, b32, b16, l14, mclip-b32, siglip-b16

FOLDER gets config.json, preprocessor_config.json, tokenizer.json, onnx/{vision,text}_model.onnx, their int8 versions
(*_quantized.onnx, made as transformers.js makes them), model.safetensors (for clip-retrieval and torch), and expected.json:
vectors that torch computes of the pictures and captions by the reference's own preprocessing and tokenisation. Then
`node recipes/test-models/clip-parity.ts FOLDER` prints how far ours are from them.
Run with torch 2, transformers 4.57, open_clip 2.32, onnx, onnxruntime.
"""
import json
import subprocess
import sys
import warnings
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, DistilBertConfig, DistilBertModel, SiglipConfig, SiglipModel

RECIPES = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(RECIPES))
from local_paths import SHARED_DATA  # noqa: E402

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
CLIP_TOKENS = 77
MULTILINGUAL_TOKENS = 128
MULTILINGUAL_VOCABULARY = 119547
SIGLIP_TOKENS = 64
SIGLIP_VOCABULARY = 32000

# Width, layers, heads of the two towers, side of a patch, length of an embedding.
CLIP_SIZES = {
    "tiny": {"vision": (16, 2, 2), "text": (8, 2, 2), "patch": 32, "dimensions": 16},
    "b32": {"vision": (768, 12, 12), "text": (512, 12, 8), "patch": 32, "dimensions": 512},
    "b16": {"vision": (768, 12, 12), "text": (512, 12, 8), "patch": 16, "dimensions": 512},
    "l14": {"vision": (1024, 24, 16), "text": (768, 12, 12), "patch": 14, "dimensions": 768},
}


class Output(torch.nn.Module):
    """One output of a model, under the names of the hub's exports."""

    def __init__(self, model, compute):
        super().__init__()
        self.model = model
        self.compute = compute

    def forward(self, values):
        return self.compute(self.model, values)


def clip_of(kind):
    """A CLIP of the kind; attention that the exporter writes as plain operators, as in the hub's files."""
    size = CLIP_SIZES[kind]

    def tower(width, layers, heads):
        shape = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers, "num_attention_heads": heads}
        return {**shape, "projection_dim": size["dimensions"], "hidden_act": "quick_gelu"}

    vocabulary = {"vocab_size": 49408, "max_position_embeddings": CLIP_TOKENS, "bos_token_id": 49406, "eos_token_id": 49407}
    text = {**tower(*size["text"]), **vocabulary}
    vision = {**tower(*size["vision"]), "image_size": 224, "patch_size": size["patch"]}
    config = CLIPConfig(projection_dim=size["dimensions"], text_config=text, vision_config=vision)
    return CLIPModel._from_config(config, attn_implementation="eager").eval()


def export(tower, example, path, input_name, output_name, free_axes, output_axes=None):
    """Writes an ONNX file in which the first axis, and those named, are free; and the same in int8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        tower,
        (example,),
        path,
        input_names=[input_name],
        output_names=[output_name],
        dynamic_axes={input_name: free_axes, output_name: output_axes or {0: "batch_size"}},
        opset_version=17,
        dynamo=False,
    )
    quantise(path)


def quantise(path):
    """As transformers.js' convert.py: weights of matrix products in int8, activations as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantised = path.with_name(f"{path.stem}_quantized.onnx")
    quantize_dynamic(path, quantised, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"], extra_options={"EnableSubgraph": True, "MatMulConstBOnly": True})


def write_json(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")


def normalised(vectors):
    return (vectors / vectors.norm(dim=-1, keepdim=True)).tolist()


def pictures():
    found = sorted((SHARED_DATA / "clip-golden").glob("*.jpg"))
    if not found:
        raise SystemExit(f"{SHARED_DATA}/clip-golden holds no pictures; PAIRMILL_SHARED_DATA names the folder above it")
    return found


def captions():
    return json.loads((RECIPES / "clean-caption/captions.json").read_text(encoding="utf-8"))


def expected(texts, text_vectors, pixels_to_vectors, pixels):
    found = pictures()
    return {
        "texts": texts,
        "textVectors": normalised(text_vectors),
        "pictures": [path.name for path in found],
        "pictureVectors": normalised(pixels_to_vectors(torch.stack([pixels(Image.open(path)) for path in found]))),
    }


def preprocessor(folder, side, mean, std, squash):
    size = {"height": side, "width": side} if squash else {"shortest_edge": side}
    crop = {"do_center_crop": False} if squash else {"do_center_crop": True, "crop_size": {"height": side, "width": side}}
    write_json(folder / "preprocessor_config.json", {"size": size, **crop, "image_mean": mean, "image_std": std, "resample": 3})


@torch.no_grad()
def write_clip(kind, folder):
    from open_clip.tokenizer import SimpleTokenizer
    from open_clip.transform import image_transform

    model = clip_of(kind)
    subprocess.run([sys.executable, RECIPES / "clean-caption/make_tables.py", "tokenizer", folder / "tokenizer.json"], check=True)
    images = Output(model, lambda clip, pixels: clip.visual_projection(clip.vision_model(pixel_values=pixels).pooler_output))
    texts = Output(model, lambda clip, ids: clip.text_projection(clip.text_model(input_ids=ids).pooler_output))
    export(images, torch.randn(2, 3, 224, 224), folder / "onnx/vision_model.onnx", "pixel_values", "image_embeds", {0: "batch_size"})
    free = {0: "batch_size", 1: "sequence_length"}
    export(texts, torch.randint(0, 100, (2, CLIP_TOKENS)), folder / "onnx/text_model.onnx", "input_ids", "text_embeds", free)
    config = {"model_type": "clip", "projection_dim": CLIP_SIZES[kind]["dimensions"], "text_config": {"max_position_embeddings": CLIP_TOKENS}}
    write_json(folder / "config.json", {**config, "pairmill": {"tokenization": "open-clip"}})
    preprocessor(folder, 224, CLIP_MEAN, CLIP_STD, squash=False)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "model.safetensors")
    transform = image_transform(224, is_train=False, mean=CLIP_MEAN, std=CLIP_STD)
    write_json(folder / "expected.json", expected(captions(), texts(SimpleTokenizer()(captions())), images, transform))


def trained_tokenizer(model_type, vocabulary, folder):
    """A tokenizer of the kind, trained on the captions that are here: the published vocabularies can't be had."""
    import pyarrow.parquet as pq
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    table = pq.read_table(SHARED_DATA / "laion-samples/img2dataset_test_10000.parquet")
    lines = [text for text in table.column("TEXT").to_pylist() if text] + captions()
    if model_type == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False)
        tokenizer.train_from_iterator(lines, trainer)
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", tokenizer.token_to_id("[SEP]")), ("[CLS]", tokenizer.token_to_id("[CLS]")))
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Lowercase(), normalizers.Replace(__import__("tokenizers").Regex(r"[!\"#$%&'()*+,\-.:;=?@\[\]\\^_`{|}~]"), ""), normalizers.Replace(__import__("tokenizers").Regex(r"\s+"), " "), normalizers.Strip()]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
        tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
        trainer = trainers.UnigramTrainer(vocab_size=vocabulary, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
        tokenizer.train_from_iterator(lines, trainer)
        end = tokenizer.token_to_id("</s>")
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", end)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


@torch.no_grad()
def write_multilingual(folder):
    """sentence-transformers' clip-ViT-B-32-multilingual-v1: DistilBERT, the mean over the tokens, 768 -> 512. Its layout is its own."""
    size = {"vocab_size": MULTILINGUAL_VOCABULARY, "max_position_embeddings": 512, "dim": 768, "n_layers": 6, "n_heads": 12, "hidden_dim": 3072}
    model = DistilBertModel._from_config(DistilBertConfig(**size), attn_implementation="eager").eval()
    tokenizer = trained_tokenizer("wordpiece", 30000, folder)
    path = folder / "onnx/model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)

    class Tokens(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    free = {0: "batch_size", 1: "sequence_length"}
    ids = torch.randint(0, 100, (2, 9))
    # With padding: of a mask of ones the exporter would leave nothing.
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    names = {"input_ids": free, "attention_mask": free, "last_hidden_state": free}
    torch.onnx.export(Tokens(), (ids, mask), path, input_names=["input_ids", "attention_mask"], output_names=["last_hidden_state"], dynamic_axes=names, opset_version=17, dynamo=False)
    quantise(path)
    weight = torch.randn(512, 768) * 0.05
    (folder / "2_Dense").mkdir(exist_ok=True)
    save_file({"linear.weight": weight}, folder / "2_Dense/model.safetensors")
    vectors = []
    for caption in captions():
        ids = torch.tensor([[*tokenizer.encode(caption).ids[: MULTILINGUAL_TOKENS - 1], tokenizer.token_to_id("[SEP]")] if len(tokenizer.encode(caption).ids) > MULTILINGUAL_TOKENS else tokenizer.encode(caption).ids])
        vectors.append(Tokens()(ids, torch.ones_like(ids))[0].mean(dim=0) @ weight.T)
    write_json(folder / "expected.json", {"texts": captions(), "textVectors": normalised(torch.stack(vectors)), "pictures": [], "pictureVectors": []})


@torch.no_grad()
def write_siglip(folder):
    from torchvision.transforms import InterpolationMode, functional

    text = {"vocab_size": SIGLIP_VOCABULARY, "max_position_embeddings": SIGLIP_TOKENS}
    config = SiglipConfig(text_config=text, vision_config={"image_size": 224, "patch_size": 16})
    model = SiglipModel._from_config(config, attn_implementation="eager").eval()
    tokenizer = trained_tokenizer("unigram", 8000, folder)
    images = Output(model, lambda siglip, pixels: siglip.vision_model(pixel_values=pixels).pooler_output)
    texts = Output(model, lambda siglip, ids: siglip.text_model(input_ids=ids).pooler_output)
    export(images, torch.randn(2, 3, 224, 224), folder / "onnx/vision_model.onnx", "pixel_values", "pooler_output", {0: "batch_size"})
    export(texts, torch.randint(0, 100, (2, SIGLIP_TOKENS)), folder / "onnx/text_model.onnx", "input_ids", "pooler_output", {0: "batch_size", 1: "sequence_length"})
    # The hub's config.json of SigLIP says no more than this of the text tower.
    write_json(folder / "config.json", {"model_type": "siglip", "text_config": {"model_type": "siglip_text_model", "vocab_size": SIGLIP_VOCABULARY}, "vision_config": {"model_type": "siglip_vision_model", "patch_size": 16}})
    preprocessor(folder, 224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), squash=True)
    end = tokenizer.token_to_id("</s>")
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "SiglipTokenizer", "pad_token": "</s>", "model_max_length": SIGLIP_TOKENS})

    def padded(caption):
        ids = tokenizer.encode(caption).ids
        ids = ids if len(ids) <= SIGLIP_TOKENS else [*ids[: SIGLIP_TOKENS - 1], end]
        return [*ids, *[end] * (SIGLIP_TOKENS - len(ids))]

    def pixels(picture):
        resized = functional.resize(picture.convert("RGB"), [224, 224], InterpolationMode.BICUBIC)
        return (functional.to_tensor(resized) - 0.5) / 0.5

    vectors = texts(torch.tensor([padded(caption) for caption in captions()]))
    write_json(folder / "expected.json", expected(captions(), vectors, images, pixels))


def main():
    warnings.filterwarnings("ignore")
    kind, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    if kind == "mclip-b32":
        write_multilingual(folder)
    elif kind == "siglip-b16":
        write_siglip(folder)
    else:
        write_clip(kind, folder)


if __name__ == "__main__":
    main()

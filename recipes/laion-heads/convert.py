"""Converts a head that LAION published into the safetensors that `pairmill tag --heads` reads (docs/tag.md).

    pip install numpy safetensors                    # and torch for .pth and .p, h5py for .h5
    python convert.py sa_0_4_vit_l_14_linear.pth --head aesthetic-v1 --clip ViT-L/14
    python convert.py sac+logos+ava1-l14-linearMSE.pth --head aesthetic-v2 --clip ViT-L/14
    python convert.py clip_autokeras_binary_nsfw.h5 --head nsfw --clip ViT-L/14
    python convert.py h14_nsfw.pth --head nsfw-h14 --clip ViT-H/14
    python convert.py prompts.p --head q16 --clip ViT-L/14
    python convert.py violence_detection_vit_l_14.npy --head violence --clip ViT-L/14

A .h5 is what Keras saves: model.save("nsfw.h5") turns LAION's folder of TensorFlow into one. Writes beside the file, or to --output.
"""

import argparse
import json
import pickle
import re
from pathlib import Path

import numpy
from safetensors.numpy import save_file

HEADS = {
    "aesthetic-v1": {"output": "aesthetic", "activation": "identity", "l2_normalize_input": "true", "source": "LAION-AI/aesthetic-predictor"},
    "aesthetic-v2": {"output": "aesthetic", "activation": "identity", "l2_normalize_input": "true",
                     "source": "christophschuhmann/improved-aesthetic-predictor"},
    "nsfw": {"output": "punsafe", "activation": "sigmoid", "hidden_activation": "relu", "l2_normalize_input": "true",
             "source": "LAION-AI/CLIP-based-NSFW-Detector"},
    # No sigmoid at its end; clip-retrieval compares the number itself.
    "nsfw-h14": {"output": "punsafe", "activation": "identity", "hidden_activation": "relu", "l2_normalize_input": "true",
                 "source": "LAION-AI/CLIP-based-NSFW-Detector"},
    "q16": {"output": "inappropriate", "source": "ml-research/OffImgDetectionCLIP"},
    "violence": {"output": "violent", "source": "rom1504/clip-retrieval"},
}
# Dimensions that LAION's NSFW heads never saw: their variance is so large that nothing is left of them.
ZEROED = {"ViT-L/14": [180, 316, 413, 440, 644], "ViT-B/32": [92, 133, 312]}


def numbers_of(text):
    return [int(each) for each in re.findall(r"\d+", text)]


def read(path):
    """Arrays by name, in the order of their layers."""
    if path.suffix == ".npy":
        return {"prompts": numpy.load(path)}
    if path.suffix == ".pth":
        import torch

        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.float().numpy() for name, tensor in state.items()}
    if path.suffix in (".p", ".pickle"):
        return {"prompts": unpickled(path)}
    if path.suffix == ".h5":
        return read_keras(path)
    raise SystemExit(f"{path}: .pth, .h5, .npy, .p and .pickle are read")


def unpickled(path):
    """Only arrays: a pickle may hold any program."""
    import torch

    class Arrays(pickle.Unpickler):
        def find_class(self, module, name):
            if module.split(".")[0] in ("numpy", "torch", "collections"):
                return super().find_class(module, name)
            raise SystemExit(f"{path} holds {module}.{name}, which is no array")

    with open(path, "rb") as file:
        value = Arrays(file).load()
    return (value.detach().float().cpu().numpy() if torch.is_tensor(value) else numpy.asarray(value)).squeeze()


def read_keras(path):
    import h5py

    arrays = {}
    with h5py.File(path) as file:
        weights = file.get("model_weights", file)
        for layer in weights.attrs["layer_names"]:
            group = weights[layer]
            for name in group.attrs["weight_names"]:
                name = name.decode() if isinstance(name, bytes) else name
                kind, value = name.split("/")[-1].split(":")[0], numpy.asarray(group[name])
                if kind == "kernel":
                    arrays[f"{len(arrays)}.weight"] = value.T
                elif kind == "bias":
                    arrays[f"{len(arrays)}.bias"] = value
                elif kind in ("mean", "variance"):
                    arrays[kind] = value.reshape(-1)
    return arrays


def convert(arrays, metadata):
    if "prompts" in arrays:
        # Compared with the embedding as it is: which row is nearer.
        return {"prompts": arrays["prompts"].astype("float32")}
    tensors = {name: arrays[name].astype("float32") for name in ("mean", "variance") if name in arrays}
    order = sorted((name for name in arrays if name.endswith("weight")), key=numbers_of)
    biases = sorted((name for name in arrays if name.endswith("bias")), key=numbers_of)
    layers = [(arrays[weight].astype("float64"), arrays[bias].astype("float64")) for weight, bias in zip(order, biases, strict=True)]
    if "hidden_activation" not in metadata:
        # Layers with nothing between them are one: some megabytes become some kilobytes.
        weight, bias = layers[0]
        for further, add in layers[1:]:
            weight, bias = further @ weight, further @ bias + add
        layers = [(weight, bias)]
    for i, (weight, bias) in enumerate(layers):
        tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"] = weight.astype("float32"), bias.astype("float32")
    return tensors


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("file", type=Path)
parser.add_argument("--head", required=True, choices=HEADS)
parser.add_argument("--clip", required=True, help="the model whose embeddings it reads: ViT-B/32, ViT-B/16, ViT-L/14, ViT-H/14")
parser.add_argument("--output", type=Path)
options = parser.parse_args()

metadata = {**HEADS[options.head], "input_model": options.clip}
arrays = read(options.file)
if "mean" in arrays and options.clip in ZEROED:
    metadata["zeroed_dims"] = json.dumps(ZEROED[options.clip])
output = options.output or options.file.with_name(f"{options.head}-{options.clip.replace('/', '-').lower()}.safetensors")
tensors = {name: numpy.ascontiguousarray(value) for name, value in convert(arrays, metadata).items()}
save_file(tensors, output, metadata)
print(f"{output}: " + ", ".join(f"{name} {list(value.shape)}" for name, value in tensors.items()))

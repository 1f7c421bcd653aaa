"""A trial, not a test: a CLIP of random weights, exported as the hub's exports are, beside what open_clip's preprocessing
and tokeniser and torch make of real pictures and captions. Writes a model folder and expected.json into the folder given;
`node recipes/test-models/clip-parity.ts FOLDER` then prints the largest difference (November 2026: 3e-7).
Run with torch, transformers 4.57, open_clip 2.32: python clip_parity.py FOLDER
"""
import json
import subprocess
import sys
import warnings
from pathlib import Path

import torch
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import image_transform
from PIL import Image
from transformers import CLIPConfig, CLIPTextModelWithProjection, CLIPVisionModelWithProjection

RECIPES = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(RECIPES))
from local_paths import SHARED_DATA  # noqa: E402

DIMENSIONS = 32
SIDE = 224
MAX_TOKENS = 77
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


class ImageTower(torch.nn.Module):
    """Pixels to vectors, under the names of the hub's exports."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model(pixel_values=pixel_values).image_embeds


class TextTower(torch.nn.Module):
    """Token ids to vectors."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids):
        return self.model(input_ids=input_ids).text_embeds


def random_clip():
    """The two towers, small but for the vocabulary, the positions and the picture's side, which are CLIP's."""
    torch.manual_seed(0)
    tower = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "projection_dim": DIMENSIONS}
    text = {**tower, "vocab_size": 49408, "max_position_embeddings": MAX_TOKENS, "bos_token_id": 49406, "eos_token_id": 49407}
    vision = {**tower, "image_size": SIDE, "patch_size": 32}
    config = CLIPConfig(projection_dim=DIMENSIONS, text_config=text, vision_config=vision)
    # Attention that the exporter can write as plain operators.
    eager = {"attn_implementation": "eager"}
    images = CLIPVisionModelWithProjection._from_config(config.vision_config, **eager).eval()
    texts = CLIPTextModelWithProjection._from_config(config.text_config, **eager).eval()
    return ImageTower(images), TextTower(texts)


def export(tower, example, path, input_name, output_name, free_axes):
    """Writes an ONNX file in which the first axis, and those named, are free."""
    torch.onnx.export(
        tower,
        (example,),
        path,
        input_names=[input_name],
        output_names=[output_name],
        dynamic_axes={input_name: free_axes, output_name: {0: "n"}},
        opset_version=17,
        dynamo=False,
    )


def write_model(folder, images, texts):
    """The folder as the hub has it: towers, tokenizer and settings."""
    subprocess.run([sys.executable, RECIPES / "clean-caption/make_tables.py", "tokenizer", folder / "tokenizer.json"], check=True)
    export(images, torch.randn(2, 3, SIDE, SIDE), folder / "vision_model.onnx", "pixel_values", "image_embeds", {0: "n"})
    export(texts, torch.randint(0, 100, (2, MAX_TOKENS)), folder / "text_model.onnx", "input_ids", "text_embeds", {0: "n", 1: "l"})
    config = {"projection_dim": DIMENSIONS, "text_config": {"max_position_embeddings": MAX_TOKENS}, "pairmill": {"tokenization": "open-clip"}}
    preprocessor = {"crop_size": SIDE, "do_center_crop": True, "image_mean": MEAN, "image_std": STD, "resample": 3, "size": SIDE}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor), encoding="utf-8")


def normalised(vectors):
    return (vectors / vectors.norm(dim=-1, keepdim=True)).tolist()


@torch.no_grad()
def expected_vectors(images, texts):
    """Vectors of captions and pictures, by open_clip's way to ids and pixels."""
    captions = json.loads((RECIPES / "clean-caption/captions.json").read_text(encoding="utf-8"))
    pictures = sorted((SHARED_DATA / "clip-golden").glob("*.jpg"))
    if not pictures:
        raise SystemExit(f"{SHARED_DATA}/clip-golden holds no pictures; PAIRMILL_SHARED_DATA names the folder above it")
    transform = image_transform(SIDE, is_train=False, mean=MEAN, std=STD)
    pixels = torch.stack([transform(Image.open(path)) for path in pictures])
    return {
        "texts": captions,
        "textVectors": normalised(texts(SimpleTokenizer()(captions))),
        "pictures": [str(path) for path in pictures],
        "pictureVectors": normalised(images(pixels)),
    }


def main():
    warnings.filterwarnings("ignore")
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    images, texts = random_clip()
    write_model(folder, images, texts)
    (folder / "expected.json").write_text(json.dumps(expected_vectors(images, texts)), encoding="utf-8")


if __name__ == "__main__":
    main()

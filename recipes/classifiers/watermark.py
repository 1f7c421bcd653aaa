"""Makes a folder for `pairmill tag --image-models` out of LAION's watermark model (docs/tag.md).

    pip install torch torchvision timm onnx
    python watermark.py watermark_model_v1.pt laion-watermark       # the checkpoint of LAION-AI/LAION-5B-WatermarkDetection
    python watermark.py --random laion-watermark                    # the same architecture with random weights

With --expect PICTURE… also writes expected.json, the scores by torch on Pillow, and the pictures beside it: `pairmill models verify FOLDER`
compares with them. With --channels 0.1 --depth 0.2 the architecture is narrow and short: the fixture of the tests.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from PIL import Image
from timm.models.efficientnet import _gen_efficientnet
from torch import nn
from torchvision import transforms

SIDE = 256
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
LABELS = {"0": "watermark", "1": "clear"}


def architecture(channels, depth):
    """EfficientNet-B3 with the classifier of LAION's example_use.py."""
    model = _gen_efficientnet("efficientnet_b3", channel_multiplier=channels, depth_multiplier=depth, num_classes=2)
    layers = [nn.Linear(model.num_features, 625), nn.ReLU(), nn.Dropout(p=0.3), nn.Linear(625, 256), nn.ReLU(), nn.Linear(256, 2)]
    model.classifier = nn.Sequential(*layers)
    return model


def randomise(model, pictures):
    """Random weights, with the statistics of batches that these pictures leave: without them the scores would all be 0 or 1."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.normal_(norm.weight, mean=1, std=0.1)
        nn.init.normal_(norm.bias, std=0.1)
        norm.reset_running_stats()
        # The mean of all batches.
        norm.momentum = None
        norm.train()
    model(pictures)
    logits = model.eval()(pictures)
    last = model.classifier[-1]
    last.weight /= logits.std()
    last.bias.copy_((last.bias - logits.mean(0)) / logits.std())


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?", help="LAION's state dictionary")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--channels", type=float, default=1.2)
    parser.add_argument("--depth", type=float, default=1.4)
    parser.add_argument("--expect", nargs="+", type=Path, default=[])
    args = parser.parse_args()
    if (args.checkpoint is None) != args.random:
        parser.error("give a checkpoint, or --random")
    torch.manual_seed(0)
    prepare = transforms.Compose([transforms.Resize((SIDE, SIDE)), transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    pictures = [prepare(Image.open(path).convert("RGB")) for path in args.expect]
    model = architecture(args.channels, args.depth).eval()
    if args.random:
        randomise(model, torch.stack(pictures or list(torch.randn(8, 3, SIDE, SIDE))))
    else:
        model.load_state_dict(torch.load(args.checkpoint, map_location="cpu", weights_only=True))
    model.eval()
    args.folder.mkdir(parents=True, exist_ok=True)
    names = {"input_names": ["pixel_values"], "output_names": ["logits"], "dynamic_axes": {"pixel_values": {0: "batch"}, "logits": {0: "batch"}}}
    torch.onnx.export(model, (torch.zeros(1, 3, SIDE, SIDE),), args.folder / "model.onnx", opset_version=17, dynamo=False, **names)
    # LAION's name of the column for LAION's weights only.
    own = {"columns": {"watermark": "watermark"}} if args.random else {"columns": {"watermark": "pwatermark"}, "source": "LAION-AI/LAION-5B-WatermarkDetection"}
    write_json(args.folder / "config.json", {"id2label": LABELS, "pairmill": {"id": "watermark", **own}})
    write_json(args.folder / "preprocessor_config.json", {"size": {"height": SIDE, "width": SIDE}, "resample": 2, "image_mean": MEAN, "image_std": STD})
    if args.expect:
        for path in args.expect:
            shutil.copy(path, args.folder)
        scores = [torch.softmax(model(picture[None]), 1)[0, :1].tolist() for picture in pictures]
        write_json(args.folder / "expected.json", {"pictures": [path.name for path in args.expect], "scores": scores})


if __name__ == "__main__":
    main()

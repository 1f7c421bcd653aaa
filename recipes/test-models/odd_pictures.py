"""Odd pictures, and what Hugging Face's CLIPProcessor sees of them, for test/models/image-preprocessing.test.ts.

  python odd_pictures.py [FOLDER, default test/models/fixtures/odd-pictures]

FOLDER gets NAME.jpg or NAME.png and NAME.seen.png: the pixels after resizing and cropping, before they are normalised. They are whole
numbers, so nothing is lost. The photograph is models/references/456_123.jpg. Run with transformers 4.57 and Pillow 13.
"""
import sys
from pathlib import Path

import numpy
from PIL import Image
from transformers import CLIPImageProcessor

ROOT = Path(__file__).resolve().parent.parent.parent
folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "test/models/fixtures/odd-pictures")
ORIENTATION = 0x0112


def gradient(width, height, bands):
    """Values that differ in each band and pixel."""
    y, x = numpy.mgrid[0:height, 0:width]
    return numpy.stack([(x * (3 + 2 * band) + y * (5 - band)) % 256 for band in range(bands)], axis=-1).astype(numpy.uint8)


def smooth(width, height, mode):
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.fromarray(gradient(8, 8, bands).squeeze(), mode).resize((width, height), Image.BICUBIC)


def main():
    folder.mkdir(parents=True, exist_ok=True)
    photograph = Image.open(ROOT / "models/references/456_123.jpg").convert("RGB").crop((0, 0, 160, 112))
    alpha = smooth(160, 112, "L")
    palette = photograph.quantize(16)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    save = lambda picture, name, **options: picture.save(folder / name, **options)
    save(photograph, "photograph.jpg", quality=90)
    save(photograph.convert("L"), "grey.jpg", quality=90)
    grey = photograph.convert("L")
    grey.putalpha(alpha)
    save(grey, "grey-alpha.png")
    save(photograph.convert("CMYK"), "cmyk.jpg", quality=90)
    rgba = photograph.copy()
    rgba.putalpha(alpha)
    save(rgba, "alpha.png")
    save(palette, "palette.png", transparency=0)
    save(photograph, "rotated.jpg", quality=90, exif=exif)
    save(smooth(1, 200, "RGB"), "one-wide.png")
    save(smooth(200, 1, "RGB"), "one-high.png")
    processor = CLIPImageProcessor()
    mean, std = (numpy.array(values)[:, None, None] for values in (processor.image_mean, processor.image_std))
    for path in sorted(folder.iterdir()):
        if path.name.endswith(".seen.png"):
            continue
        # Named, because it takes a side of one pixel for the channels.
        pixels = processor(Image.open(path), return_tensors="np", input_data_format="channels_last")["pixel_values"][0]
        seen = (pixels * std + mean) * 255
        assert abs(seen - seen.round()).max() < 0.01, path
        Image.fromarray(seen.round().astype(numpy.uint8).transpose(1, 2, 0)).save(folder / f"{path.stem}.seen.png", optimize=True)
        print(path.name, pixels.shape)


if __name__ == "__main__":
    main()

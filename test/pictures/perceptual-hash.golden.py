"""Makes perceptual-hash.golden.json: imagehash.phash of pictures that the test draws too. Needs ImageHash 4.3.2 of PyPI.

Usage: python perceptual-hash.golden.py > perceptual-hash.golden.json
"""

import json

import imagehash
import numpy
from PIL import Image


def picture(seed):
    """32 x 32, so that no resizing takes part: waves of several frequencies."""
    values = [[((i * (seed + 3) * 7 + j * (seed + 5) * 11 + i * j * (seed % 4)) % 256) for i in range(32)] for j in range(32)]
    return Image.fromarray(numpy.array(values, dtype=numpy.uint8), "L")


print(json.dumps({str(seed): str(imagehash.phash(picture(seed))) for seed in range(12)}, indent=2))

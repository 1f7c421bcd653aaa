"""How packed pictures differ from those that OpenCV makes, of 255: mean over all values, mean of the largest of each picture, and the largest of all.
Usage: picture_differences.py PHOTOGRAPHS PACKED MODE, where PACKED is what pack-photographs.ts has made. JSON on the last line."""
import glob
import json
import os
import sys

import cv2
import numpy as np
from opencv_picture import encoded, resized

photographs, packed, mode = sys.argv[1:4]
pairs = {"OpenCV's JPEG and its pixels": [], "ours and OpenCV's pixels": [], "libvips' and OpenCV's pixels": [], "ours and OpenCV's JPEG": [], "libvips' and OpenCV's JPEG": [], "ours and libvips'": []}


def note(pair, a, b):
    difference = np.abs(a.astype(np.int16) - b)
    pairs[pair].append((difference.mean(), difference.max()))


for name in sorted(glob.glob(photographs + "/*.jpg")):
    pixels = resized(np.fromfile(name, np.uint8), mode)
    jpeg = cv2.imdecode(encoded(pixels), cv2.IMREAD_UNCHANGED)
    ours, libvips = (cv2.imread(os.path.join(packed, way, os.path.basename(name)), cv2.IMREAD_UNCHANGED) for way in ("ours", "libvips"))
    note("OpenCV's JPEG and its pixels", jpeg, pixels)
    note("ours and OpenCV's pixels", ours, pixels)
    note("libvips' and OpenCV's pixels", libvips, pixels)
    note("ours and OpenCV's JPEG", ours, jpeg)
    note("libvips' and OpenCV's JPEG", libvips, jpeg)
    note("ours and libvips'", ours, libvips)
print(json.dumps({pair: {"mean": float(np.mean([m for m, _ in all])), "usual largest": float(np.mean([l for _, l in all])), "largest": int(max(l for _, l in all))} for pair, all in pairs.items()}))

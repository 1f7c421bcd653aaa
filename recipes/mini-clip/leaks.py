"""Counts pictures of the held-out vendors that are nearly the same as a training picture of the same emoji.

    python leaks.py

Both are cut to their ink on white and compared at 24 x 24: vendors have drawn many flags, clocks and plain symbols alike.
"""
import numpy as np
import torch
import torch.nn.functional as F

import common
from augment import Pictures

NEAR = 0.03  # mean absolute difference, of 1


def ink(picture):
    """float [3, h, w] on white, cut to what is not white, as 24 x 24."""
    dark = (picture < 0.92).any(0)
    if not dark.any():
        return torch.ones(3, 24, 24)
    rows, columns = dark.any(1).nonzero()[:, 0], dark.any(0).nonzero()[:, 0]
    cut = picture[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return F.interpolate(cut[None], (24, 24), mode="bilinear", antialias=True)[0]


def main():
    classes = common.classes()
    pictures = Pictures(classes)
    of_class = {}
    for i, c in enumerate(pictures.cls):
        x = pictures.full[i].permute(2, 0, 1).float() / 255
        of_class.setdefault(c, []).append(ink(x[:3] + 1 - x[3:]))
    for vendor in ("noto-v1", "twemoji"):
        cls, pixels = common.eval_pictures(vendor, "clean")
        near = []
        for c, p in zip(cls, pixels):
            held = ink(torch.from_numpy(p).permute(2, 0, 1).float() / 255)
            if min(float((held - x).abs().mean()) for x in of_class[c]) < NEAR:
                near.append(c)
        groups = np.bincount([classes[c]["group"] for c in near], minlength=10)
        print(f"{vendor}: {len(near)} of {len(cls)} nearly equal; by group {groups.tolist()}: {' '.join(classes[c]['emoji'] for c in near[:60])}")


if __name__ == "__main__":
    main()

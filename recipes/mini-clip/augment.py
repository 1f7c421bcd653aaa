"""Draws the prepared pictures on random backgrounds: place, size, rotation, shear, colour, flip, noise."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from common import DATA, read_json

N_BACKGROUNDS = 2500


def make_backgrounds(side, seed=7):
    """Plain, gradient, noise, stripes, checks and patchwork, uint8 [n, 3, side, side]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    out = np.empty((N_BACKGROUNDS, 3, side, side), np.uint8)
    for i in range(N_BACKGROUNDS):
        a, b = rng.random((2, 3, 1, 1))
        if rng.random() < 0.5:  # pale, as most pages are
            a, b = 1 - (1 - a) * 0.35, 1 - (1 - b) * 0.35
        angle = rng.random() * math.pi
        cos, sin = math.cos(angle), math.sin(angle)
        period = rng.uniform(0.05, 0.35)
        kind = i % 7
        mix = np.zeros((side, side))
        if kind in (1, 6):
            mix = np.clip(0.5 + (x - 0.5) * cos + (y - 0.5) * sin, 0, 1)
        elif kind == 3:
            mix = np.floor((x * cos + y * sin) / period) % 2
        elif kind == 4:
            mix = (np.floor(x / period) + np.floor(y / period)) % 2
        elif kind == 5:  # patches of random mixes of the two colours, as large as parts of the emoji
            cell = int(rng.integers(1, 11))
            n = -(-side // cell)
            mix = np.kron(rng.random((n, n)), np.ones((cell, cell)))[:side, :side]
        if kind in (3, 4, 5) and rng.random() < 0.6:
            b = a + (b - a) * 0.45
        picture = a + (b - a) * mix
        if kind == 2:
            cell = int(rng.integers(1, 5))
            n = -(-side // cell)
            noise = rng.uniform(-1, 1, (3, n, n)) * rng.uniform(0.03, 0.25)
            picture = picture + np.kron(noise, np.ones((1, cell, cell)))[:, :side, :side]
        out[i] = np.clip(picture * 255, 0, 255)
    return torch.from_numpy(out)


# Mirroring these would make a different emoji of them.
NO_FLIP_GROUPS = {8, 9}
NO_FLIP_WORDS = ("left", "right", "hand", "finger", "clock", "keycap", "thumb", "arrow", "button", "pointing", "fist")


class Pictures:
    def __init__(self, classes):
        pictures = read_json(DATA / "pictures.json")
        n = len(pictures)
        self.full = torch.from_numpy(np.memmap(DATA / "pictures.u8", np.uint8, "c", shape=(n, 96, 96, 4)))
        self.small = torch.from_numpy(np.memmap(DATA / "pictures-small.u8", np.uint8, "c", shape=(n, 48, 48, 4)))
        self.cls = np.array([p["cls"] for p in pictures])
        self.n_classes = len(classes)
        self.flag = np.array([c["group"] == 9 for c in classes])
        self.flip = np.array(
            [
                c["group"] not in NO_FLIP_GROUPS
                and not c["subgroup"].startswith("hand")
                and not any(w in c["label"].lower() for w in NO_FLIP_WORDS)
                and "o’clock" not in c["label"]
                and "-thirty" not in c["label"]
                for c in classes
            ]
        )
        # For each class its sets, with the untoned picture and the toned ones apart.
        by_class = [{} for _ in classes]
        for i, p in enumerate(pictures):
            sets = by_class[p["cls"]].setdefault(p["set"], {"mono": p["mono"], "plain": [], "toned": []})
            sets["toned" if p["tone"] else "plain"].append(i)
        self.choices = [list(sets.values()) for sets in by_class]
        self.chances = []
        for sets in self.choices:
            w = np.array([0.4 if s["mono"] else 1.0 for s in sets])
            self.chances.append(np.cumsum(w / w.sum()))
        self.backgrounds = {}

    def draw(self, rng, n, order=None):
        """n picture indices: classes uniform, sets uniform within a class, toned ones at 15 %."""
        cls = rng.integers(0, self.n_classes, n) if order is None else order
        picked = np.empty(n, np.int64)
        u = rng.random((n, 3))
        for i, c in enumerate(cls):
            sets = self.choices[c]
            s = sets[min(int(np.searchsorted(self.chances[c], u[i, 0])), len(sets) - 1)]
            pool = s["toned"] if s["toned"] and (not s["plain"] or u[i, 1] < 0.15) else s["plain"]
            picked[i] = pool[int(u[i, 2] * len(pool))]
        return picked

    def batch(self, rng, picked, side, wide):
        """float32 [n, 3, side, side] in (x - 0.5) * 4."""
        n = len(picked)
        cls = self.cls[picked]
        f = np.float32
        scale = np.where(rng.random(n) < 0.2, rng.uniform(0.2, 0.5, n), rng.uniform(0.45, 1.02, n)).astype(f)
        aspect = rng.normal(0, 0.07, n)
        if wide:
            aspect = np.where(rng.random(n) < 0.45, rng.uniform(-1.2, 0.75, n), aspect)
        sx = scale * np.exp(np.minimum(aspect, 0))
        sy = scale * np.exp(np.minimum(-aspect, 0))
        angle, shear = rng.normal(0, 0.13, n), rng.normal(0, 0.07, n)
        mirror = np.where(self.flip[cls] & (rng.random(n) < 0.3), -1.0, 1.0)
        room_x, room_y = np.maximum(1 - sx, 0.02), np.maximum(1 - sy, 0.02)
        tx, ty = rng.uniform(-1, 1, n) * room_x, rng.uniform(-1, 1, n) * room_y
        cos, sin = np.cos(angle), np.sin(angle)
        # Emoji to picture: squash . rotate . shear . mirror; grid_sample wants the way back.
        a = np.zeros((n, 2, 2))
        a[:, 0, 0], a[:, 0, 1] = sx * cos * mirror, sx * (cos * shear - sin)
        a[:, 1, 0], a[:, 1, 1] = sy * sin * mirror, sy * (sin * shear + cos)
        back = np.linalg.inv(a)
        shift = -np.einsum("nij,nj->ni", back, np.stack([tx, ty], 1))
        theta = torch.from_numpy(np.concatenate([back, shift[:, :, None]], 2).astype(f))
        grid = F.affine_grid(theta, (n, 4, side, side), align_corners=False)

        drawn = torch.empty(n, 4, side, side)
        use_small = torch.from_numpy(np.sqrt(sx * sy) * side < 36)
        picked = torch.from_numpy(picked)
        for pool, which in ((self.full, ~use_small), (self.small, use_small)):
            at = which.nonzero()[:, 0]
            if len(at):
                sprites = pool[picked[at]].permute(0, 3, 1, 2).float()
                drawn[at] = F.grid_sample(sprites, grid[at], padding_mode="zeros", align_corners=False)
        rgb, alpha = drawn[:, :3] / 255, drawn[:, 3:] / 255

        rgb = (torch.from_numpy(self.colour(rng, cls)) @ rgb.flatten(2)).view_as(rgb)
        rgb = torch.minimum(rgb.clamp_(min=0), alpha)
        if side not in self.backgrounds:
            self.backgrounds[side] = make_backgrounds(side)
        behind = self.backgrounds[side][torch.from_numpy(rng.integers(0, N_BACKGROUNDS, n))].float() / 255
        behind[torch.from_numpy(rng.random(n) < 0.12)] = 1
        x = rgb + (1 - alpha) * behind
        noisy = np.flatnonzero(rng.random(n) < 0.25)
        if len(noisy):
            noise = rng.standard_normal((len(noisy), 3, side, side), f) * f(0.03)
            x[torch.from_numpy(noisy)] += torch.from_numpy(noise)
        return (x.clamp_(0, 1) - 0.5) * 4

    def colour(self, rng, cls):
        """One 3 x 3 matrix each: hue turn, saturation, brightness. Linear, so it may act on premultiplied colours."""
        n = len(cls)
        hue = rng.normal(0, 0.25, n) * np.where(self.flag[cls], 0.3, 1)
        any_hue = (rng.random(n) < 0.035) & ~self.flag[cls]
        hue = np.where(any_hue, rng.uniform(-math.pi, math.pi, n), hue)
        saturation = np.exp(rng.normal(0, 0.25, n))
        saturation = np.where(rng.random(n) < 0.056, 0, saturation)
        bright = np.exp(rng.normal(0, 0.14, n))
        to_yiq = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
        turn = np.zeros((n, 3, 3))
        turn[:, 0, 0] = 1
        turn[:, 1, 1] = turn[:, 2, 2] = np.cos(hue) * saturation
        turn[:, 1, 2], turn[:, 2, 1] = -np.sin(hue) * saturation, np.sin(hue) * saturation
        return (np.linalg.inv(to_yiq) @ turn @ to_yiq * bright[:, None, None]).astype(np.float32)

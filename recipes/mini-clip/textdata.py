"""Batches of names and tags with the emoji they stand for."""
import unicodedata

import numpy as np
import torch

from common import MAX_TOKENS, PAD, START, texts

# So that a name in a sentence, or behind the words people put before it, still means the same.
PREFIXES = [
    "a", "the", "an", "my", "photo of a", "a photo of a", "a picture of a", "an image of", "picture of the", "icon", "emoji",
    "ein", "eine", "der", "die", "ein foto von", "ein bild von", "un", "une", "le", "la", "une photo de", "une image de",
    "el", "los", "una foto de", "imagen de", "uma foto de", "imagem de", "um", "uma", "il", "una", "een", "een foto van",
    "en", "ett", "et", "kuva", "zdjęcie", "фото", "картинка", "зображення", "写真", "图片", "사진", "ảnh", "รูป", "gambar", "चित्र", "ছবি",
]  # fmt: skip
WORDS = [
    "ছবি", "billede", "bild", "picture", "imagen", "pilt", "kuva", "image", "चित्र", "kép", "immagine", "画像", "그림", "photo", "foto",
    "paveikslėlis", "gambar", "bilde", "afbeelding", "obrazek", "imagem", "картинка", "фото", "รูปภาพ", "hình ảnh", "图片", "圖片", "emoji", "icon",
]  # fmt: skip
TOO_COMMON = 80  # a tag of more emoji than this says too little


def fold(s):
    return unicodedata.normalize("NFKC", s).lower()


class Texts:
    """`include_held`: also the (emoji, language) pairs that are kept out for reporting."""

    def __init__(self, tokenizer, n_classes, include_held):
        self.n_classes = n_classes
        records = [t for t in texts() if include_held or not t["held"]]
        index = {}
        ident = lambda s: index.setdefault(fold(s), len(index))
        self.records = [(t["cls"], ident(t["label"]), [ident(g) for g in t["tags"]], [ident(g) for g in t["toned"]]) for t in records]
        meaning = {}
        for cls, _, tags, _ in self.records:
            for tag in tags:
                meaning.setdefault(tag, set()).add(cls)
        named = {}
        for cls, label, _, _ in self.records:
            named.setdefault(label, set()).add(cls)
        self.tags = [(tag, sorted(cls)) for tag, cls in meaning.items() if len(cls) <= TOO_COMMON]
        # A tag is drawn as often as it stands beside an emoji, within reason, so that "dog" outweighs a rarity.
        uses = np.zeros(len(index))
        for _, _, tags, _ in self.records:
            np.add.at(uses, tags, 1)
        weight = np.sqrt([uses[t] for t, _ in self.tags])
        self.tag_chances = np.cumsum(weight / weight.sum())
        self.named = {label: sorted(cls) for label, cls in named.items()}
        strings = list(index)
        self.before = self.encode(tokenizer, [*PREFIXES, *(f"{w}:" for w in WORDS)])
        self.behind = self.encode(tokenizer, [f"({w})" for w in WORDS])
        # How pages join a name and other words: mostly by a comma or nothing.
        self.glue = [[], [], *self.encode(tokenizer, [",", ",", ":", " –", " -"])]
        # Variant 0 is what inference sees; the others drop merges, so that parts of words are learnt too.
        self.variants = [self.encode(tokenizer, strings)]
        tokenizer.model.dropout = 0.1
        self.variants += [self.encode(tokenizer, strings) for _ in range(3)]
        tokenizer.model.dropout = None

    @staticmethod
    def encode(tokenizer, strings):
        return [e.ids for e in tokenizer.encode_batch(strings, add_special_tokens=False)]

    def batch(self, rng, n, shares=(0.44, 0.34, 0.22)):
        """ids, mask and the target: a row of class weights that sum to one."""
        target = np.zeros((n, self.n_classes), np.float32)
        kind = rng.choice(3, n, p=shares)
        u = rng.random((n, 6))
        rows = []
        for i in range(n):
            tokens = self.variants[0 if u[i, 0] < 0.5 else 1 + int(u[i, 0] * 1000) % 3]
            if kind[i] == 1:
                tag, cls = self.tags[min(int(np.searchsorted(self.tag_chances, u[i, 1])), len(self.tags) - 1)]
                row = tokens[tag]
            else:
                own, label, tags, toned = self.records[int(u[i, 1] * len(self.records))]
                cls = self.named[label]
                if toned and u[i, 3] > 0.7:  # "waving hand: dark skin tone" is a waving hand
                    label = toned[int(u[i, 2] * len(toned))]
                if kind[i] == 0 or not tags:
                    row = tokens[label]
                else:
                    some = [tags[int(k * len(tags))] for k in rng.random(int(u[i, 2] * 4) + 1)]
                    cls = [own]
                    parts = list(dict.fromkeys(some))
                    if len(parts) < 2 or u[i, 2] * 4 % 1 < 0.75:  # else tags without the name
                        parts.insert(0 if u[i, 4] < 0.65 else len(parts), label)
                    glue = self.glue[int(u[i, 4] * 1000) % len(self.glue)]
                    row = []
                    for p in parts:
                        row = row + (glue if row else []) + tokens[p]
            if u[i, 5] < 0.07:
                row = self.before[int(u[i, 5] / 0.07 * len(self.before))] + row
            elif u[i, 5] > 0.98:
                row = row + self.behind[int((u[i, 5] - 0.98) / 0.02 * len(self.behind))]
            rows.append([START, *row][:MAX_TOKENS])
            target[i, cls] = 1 / len(cls)
        width = max(map(len, rows))
        ids = np.full((n, width), PAD, np.int64)
        for i, r in enumerate(rows):
            ids[i, : len(r)] = r
        ids = torch.from_numpy(ids)
        return ids, (ids != PAD).long(), torch.from_numpy(target)

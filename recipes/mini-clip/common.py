"""Paths, the prepared data and the tokenizer: what training, evaluation and export share."""
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

WORK = Path(os.environ.get("MINI_CLIP_DIR", Path(tempfile.gettempdir()) / "mini-clip"))
DATA = WORK / "data"
RUN = WORK / "run"
RECIPE = Path(__file__).parent
MODEL_DIR = RECIPE.parent.parent / "models" / "mini"
GOLDEN = RECIPE.parent.parent / "test" / "models" / "golden" / "mini.json"

SEED = 20260
DIM = 256
VOCAB = 24_000
MAX_TOKENS = 24
PAD, UNK, START = 0, 1, 2
SIDE = 64
# Strength and sharpness of the last layer (model.Memory), chosen on noto-v1.
PICTURE_MEMORY = (8.0, 24.0)
TEXT_MEMORY = (4.0, 20.0)


def read_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def classes():
    return read_json(DATA / "classes.json")


def texts():
    return read_json(DATA / "texts.json")


def eval_pictures(vendor, kind):
    """The class of each picture and the pictures as uint8 [n, 64, 64, 3], as inference sees them."""
    cls = np.array(read_json(DATA / "eval" / f"{vendor}.json"))
    pixels = np.fromfile(DATA / "eval" / f"{vendor}-{kind}.u8", np.uint8).reshape(len(cls), SIDE, SIDE, 3)
    return cls, pixels


# ---------------------------------------------------------------- tokenizer
def train_tokenizer(corpus):
    """BPE over lower-cased NFKC words. Only parts that the JavaScript reader of tokenizer.json has as well."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False),
            pre_tokenizers.Split(Regex(r"\p{P}"), "isolated"),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    # Characters seen once or twice would fill the vocabulary; Chinese alone has thousands.
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=["<pad>", "<unk>", "<s>"], min_frequency=2, limit_alphabet=6000, show_progress=False
    )
    tokenizer.train_from_iterator(corpus, trainer)
    # A start token, so that no text is an empty sequence.
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", START)])
    return tokenizer


def encode(tokenizer, strings):
    """input_ids and attention_mask, padded to the longest and cut at MAX_TOKENS."""
    rows = [e.ids[:MAX_TOKENS] for e in tokenizer.encode_batch(list(strings))]
    width = max(len(r) for r in rows)
    ids = np.full((len(rows), width), PAD, np.int64)
    for i, r in enumerate(rows):
        ids[i, : len(r)] = r
    return ids, (ids != PAD).astype(np.int64)

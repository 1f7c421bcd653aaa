"""Two small heads on the exported picture embeddings, so that the tag stage has something true to say:
is the picture a flag, is it a face.

    python heads.py
"""
import json

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import common
from augment import Pictures
from common import MODEL_DIR, SEED
from export import Exported, write_checksums


def is_flag(c):
    return c["group"] == 9


def is_face(c):
    """Smileys, cat and monkey faces, and whatever else is named a face (dog face, sun with face)."""
    faces = c["subgroup"].startswith("face-") or c["subgroup"] in ("cat-face", "monkey-face")
    return faces or "face" in c["label"].lower().split()


HEADS = {"is_flag": ("pflag", is_flag), "is_face": ("pface", is_face)}


def main():
    model = Exported(MODEL_DIR)
    classes = common.classes()
    pictures = Pictures(classes)
    rng = np.random.default_rng([SEED, 5])
    rows, cls = [], []
    for i in range(40):
        picked = pictures.draw(rng, 512)
        x = pictures.batch(rng, picked, 64, wide=i % 2 == 1)
        rows.append(model.vision.run(None, {"pixel_values": x.numpy()})[0])
        cls.append(pictures.cls[picked])
    rows, cls = np.concatenate(rows), np.concatenate(cls)
    report_cls, pixels = common.eval_pictures("twemoji", "varied")
    report = model.pictures(pixels)
    out = MODEL_DIR / "heads"
    out.mkdir(exist_ok=True)
    figures = {}
    for name, (output, true_of) in HEADS.items():
        truth = np.array([true_of(c) for c in classes])
        fit = LogisticRegression(C=30, max_iter=2000).fit(rows, truth[cls])
        weight, bias = fit.coef_.astype(np.float32), fit.intercept_.astype(np.float32)
        metadata = {
            "input_model": "mini",
            "layers": "linear",
            "activation": "sigmoid",
            "output": output,
            "l2_normalize_input": "true",
            "recommended_threshold": "0.5",
        }
        save_file({"weight": weight, "bias": bias}, out / f"{name}.safetensors", metadata)
        (out / f"{name}.safetensors").chmod(0o644)
        p = 1 / (1 + np.exp(-(report @ weight[0] + bias[0])))
        t = truth[report_cls]
        figures[name] = {
            "auc": round(float(roc_auc_score(t, p)), 4),
            "accuracy_at_0.5": round(float(((p >= 0.5) == t).mean()), 4),
            "positives": int(t.sum()),
            "pictures": len(t),
        }
    print(figures)
    file = MODEL_DIR / "evaluation.json"
    evaluation = common.read_json(file) if file.exists() else {}
    file.write_text(json.dumps({**evaluation, "heads": figures}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    write_checksums(MODEL_DIR)


if __name__ == "__main__":
    main()

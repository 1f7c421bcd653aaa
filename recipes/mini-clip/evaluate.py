"""Measures the exported model on the vendor that is only reported (twemoji), and chooses the threshold on the other
one (noto-v1).

    python evaluate.py                       the exported files: writes evaluation.json, the threshold, the card's figures
    python evaluate.py --checkpoint FILE     a checkpoint through PyTorch: prints only
"""
import argparse
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from tokenizers import Tokenizer

import common
from common import MODEL_DIR, RECIPE, SEED, WORK
from export import Exported, Trained, load, write_checksums

TUNE, REPORT = "noto-v1", "twemoji"
ENGLISH = {"en", "en-gb"}
RECALL_AT = (1, 5, 10)


def caption(rng, name, tags):
    """A page's text: the name alone, or the name and some of its tags, in one of a few forms."""
    one, two = [*rng.permutation(tags)[:2], None, None][:2]
    forms = [name, name]
    if one is not None:
        forms += [f"{name}, {one}", f"{name} – {one}", f"{one}: {name}"]
    if two is not None:
        forms += [f"{name}, {one}, {two}", f"{one} {two} {name}"]
    return forms[rng.integers(len(forms))]


class Names:
    """All names and the captions made of them, each with its embedding."""

    def __init__(self, model):
        self.texts = common.texts()
        self.cls = np.array([t["cls"] for t in self.texts])
        self.lang = np.array([t["lang"] for t in self.texts])
        self.held = np.array([t["held"] for t in self.texts])
        self.labels = model.texts([t["label"] for t in self.texts])
        rng = np.random.default_rng(SEED)
        captions = [caption(rng, t["label"], t["tags"]) for t in self.texts]
        self.captions = captions
        self.of_captions = model.texts(captions)
        # Shuffled: the caption of any other emoji, lookalikes included, unless it bears the same name.
        fold = [unicodedata.normalize("NFKC", t["label"]).lower() for t in self.texts]
        self.shuffled = self.others(rng, lambda r, other: fold[other] != fold[r])
        # Wrong, as the example crawl plants it: an emoji of another group that shares no English word with this one.
        groups = [c["group"] for c in common.classes()]
        words = {t["cls"]: set(re.findall(r"\w+", " ".join([t["label"], *t["tags"]]).lower())) for t in self.texts if t["lang"] == "en"}
        cls = self.cls
        self.wrong = self.others(rng, lambda r, o: groups[cls[o]] != groups[cls[r]] and words[cls[o]].isdisjoint(words[cls[r]]))

    def others(self, rng, fits):
        """For each text one of the same language that `fits`."""
        wrong = np.empty(len(self.texts), np.int64)
        for lang in np.unique(self.lang):
            rows = np.flatnonzero(self.lang == lang)
            for r in rows:
                while True:
                    other = rng.choice(rows)
                    if fits(r, other):
                        break
                wrong[r] = other
        return wrong


def recalls(names, cls, pictures, rows):
    """Strict: only the picture of the very emoji is right. Among the pictures of one vendor, in %."""
    place = np.full(names.cls.max() + 1, -1)
    place[cls] = np.arange(len(cls))
    rows = rows[place[names.cls[rows]] >= 0]
    scores = names.labels[rows] @ pictures.T
    own = scores[np.arange(len(rows)), place[names.cls[rows]]]
    rank = (scores > own[:, None]).sum(1)
    return {f"recall_at_{k}": round(float((rank < k).mean() * 100), 2) for k in RECALL_AT} | {"queries": len(rows)}


def pair_scores(names, cls, pictures, rows=None):
    """Similarity of each picture with its right captions in all languages, and with as many wrong ones."""
    place = np.full(names.cls.max() + 1, -1)
    place[cls] = np.arange(len(cls))
    rows = np.arange(len(names.cls)) if rows is None else rows
    rows = rows[place[names.cls[rows]] >= 0]
    of = pictures[place[names.cls[rows]]]
    right = (of * names.of_captions[rows]).sum(1)
    wrong = (of * names.of_captions[names.wrong[rows]]).sum(1)
    shuffled = (of * names.of_captions[names.shuffled[rows]]).sum(1)
    return rows, right, wrong, shuffled


def choose_threshold(right, wrong):
    """Where the losses stand in the proportion of the limits: 10 % of right captions, 5 % of wrong ones."""
    candidates = np.arange(-0.1, 0.5, 0.002)
    worst = [max((right < t).mean() / 0.10, (wrong >= t).mean() / 0.05) for t in candidates]
    return round(float(candidates[int(np.argmin(worst))]), 3)


def thresholds(names, model):
    cls, pixels = common.eval_pictures(TUNE, "varied")
    rows, right, wrong, _ = pair_scores(names, cls, model.pictures(pixels))
    english = np.isin(names.lang[rows], list(ENGLISH))
    multi = choose_threshold(right[~english], wrong[~english])
    # Texts without a clear language are short names of all kinds: they get the multilingual threshold.
    return {"en": choose_threshold(right[english], wrong[english]), "multi": multi, "nolang": multi}


def kept_and_dropped(names, rows, right, wrong, shuffled, threshold):
    limit = np.where(np.isin(names.lang[rows], list(ENGLISH)), threshold["en"], threshold["multi"])
    percent = lambda x: round(float(x.mean() * 100), 2)
    out = {"right_kept": percent(right >= limit), "wrong_dropped": percent(wrong < limit), "shuffled_dropped": percent(shuffled < limit)}
    out["by_language"] = {
        lang: {"right_kept": percent((right >= limit)[m]), "wrong_dropped": percent((wrong < limit)[m])}
        for lang in np.unique(names.lang)
        for m in [names.lang[rows] == lang]
    }
    return out


def free_queries(model, cls, pictures, classes):
    bare = lambda s: s.replace("\ufe0f", "")
    emoji = [bare(c["emoji"]) for c in classes]
    queries = common.read_json(RECIPE / "free-queries.json")["queries"]
    scores = model.texts([q["query"] for q in queries]) @ pictures.T
    results = []
    for q, s in zip(queries, scores):
        top = [emoji[cls[i]] for i in np.argsort(-s)[:3]]
        results.append({**{k: q[k] for k in ("lang", "query")}, "top": top, "right": any(bare(e) in top for e in q["emoji"])})
    return results


def measure(model, threshold=None):
    names = Names(model)
    classes = common.classes()
    threshold = threshold or thresholds(names, model)
    out = {"threshold": threshold, "kinds": {}}
    for vendor, kind in [(REPORT, kind) for kind in ("varied", "harsh", "small", "wide", "clean")] + [(TUNE, "varied")]:
        cls, pixels = common.eval_pictures(vendor, kind)
        pictures = model.pictures(pixels)
        by_lang = {lang: recalls(names, cls, pictures, np.flatnonzero(names.lang == lang)) for lang in np.unique(names.lang)}
        others = [v for k, v in by_lang.items() if k != "en"]
        rows, right, wrong, shuffled = pair_scores(names, cls, pictures)
        entry = {
            "english": by_lang["en"],
            "languages": by_lang,
            "auc": round(float(roc_auc_score(np.r_[np.ones(len(right)), np.zeros(len(shuffled))], np.r_[right, shuffled])), 4),
            "filter": kept_and_dropped(names, rows, right, wrong, shuffled, threshold),
            "held_labels": recalls(names, cls, pictures, np.flatnonzero(names.held)),
        }
        for k in RECALL_AT:
            entry[f"other_mean_recall_at_{k}"] = round(float(np.mean([v[f"recall_at_{k}"] for v in others])), 2)
        if vendor == REPORT:
            entry["free_queries"] = free_queries(model, cls, pictures, classes)
            entry["free_queries_right"] = sum(q["right"] for q in entry["free_queries"])
        out["kinds"][f"{vendor} {kind}"] = entry
    return out


def show(result):
    for name, e in result["kinds"].items():
        en, f = e["english"], e["filter"]
        worst = min(v["right_kept"] for v in f["by_language"].values()), min(v["wrong_dropped"] for v in f["by_language"].values())
        print(
            f"{name:16s} en {en['recall_at_1']:.1f}/{en['recall_at_5']:.1f}/{en['recall_at_10']:.1f}"
            f" others {e['other_mean_recall_at_1']:.1f}/{e['other_mean_recall_at_5']:.1f}/{e['other_mean_recall_at_10']:.1f}"
            f" held {e['held_labels']['recall_at_1']:.0f}/{e['held_labels']['recall_at_10']:.0f} auc {e['auc']:.4f}"
            f" kept {f['right_kept']} dropped {f['wrong_dropped']} shuffled {f['shuffled_dropped']} worst language {worst} free {e.get('free_queries_right', '-')}",
            flush=True,
        )
    print("threshold", result["threshold"], "missed:", [q["query"] for q in result["kinds"][f"{REPORT} varied"]["free_queries"] if not q["right"]])


def card_table(result, unseen):
    lines = ["| pictures | English R@1/5/10 | 27 others, mean R@1/5/10 | AUC | right kept | wrong dropped | shuffled dropped | free queries |", "|---|---|---|---|---|---|---|---|"]
    for name, e in result["kinds"].items():
        en, f = e["english"], e["filter"]
        others = "/".join(f"{e[f'other_mean_recall_at_{k}']:.1f}" for k in RECALL_AT)
        lines.append(
            f"| {name} | {en['recall_at_1']:.1f}/{en['recall_at_5']:.1f}/{en['recall_at_10']:.1f} | {others} | {e['auc']:.4f}"
            f" | {f['right_kept']:.1f} | {f['wrong_dropped']:.1f} | {f['shuffled_dropped']:.1f} | {e.get('free_queries_right', '-')}"
            f"{' of 60' if 'free_queries_right' in e else ''} |"
        )
    main = result["kinds"][f"{REPORT} varied"]
    lines += ["", f"Threshold (chosen on {TUNE}): {json.dumps(result['threshold'])}", ""]
    if unseen:
        lines += [
            "Names never seen in training (one (emoji, language) in ten, before the final fine-tune), "
            f"{REPORT} varied: R@1/5/10 {unseen['recall_at_1']:.1f}/{unseen['recall_at_5']:.1f}/{unseen['recall_at_10']:.1f}.",
            "",
        ]
    lines += ["By language, twemoji varied:", "", "| language | R@1 | R@10 | right kept | wrong dropped |", "|---|---|---|---|---|"]
    for lang, v in main["languages"].items():
        f = main["filter"]["by_language"][lang]
        lines.append(f"| {lang} | {v['recall_at_1']:.1f} | {v['recall_at_10']:.1f} | {f['right_kept']:.1f} | {f['wrong_dropped']:.1f} |")
    missed = [f"{q['query']} ({q['lang']}: {' '.join(q['top'])})" for q in main["free_queries"] if not q["right"]]
    lines += ["", f"Free queries missed: {'; '.join(missed)}." if missed else "No free query was missed."]
    return "\n".join(lines)


def heads_table(heads):
    lines = ["| head | AUC | accuracy at 0.5 | positives |", "|---|---|---|---|"]
    for name, f in (heads or {}).items():
        lines.append(f"| {name} | {f['auc']:.4f} | {100 * f['accuracy_at_0.5']:.1f} % | {f['positives']} of {f['pictures']} |")
    return "\n".join(lines)


def export_line(d):
    return (
        f"Largest difference of an embedding's element between onnxruntime and PyTorch: picture {d['picture']:.1e}, text {d['text']:.1e} "
        f"(wanted: 5e-3). Between batches of 1 and 64 pictures: {d['picture_batch_1_or_64']:.0e}; of 1 and 256 texts: {d['text_batch_1_or_256']:.0e}."
    )


def put_between(file, mark, text):
    if not file.exists():
        return
    body = file.read_text(encoding="utf-8")
    start, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    if start in body:
        head, rest = body.split(start, 1)
        file.write_text(f"{head}{start}\n{text}\n{end}{rest.split(end, 1)[1]}", encoding="utf-8")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--checkpoint", type=Path)
    args.add_argument("--ema", action="store_true")
    args.add_argument("--unseen-from", type=Path, default=WORK / "run" / "after-finish.pt", help="checkpoint before the held-out names were seen")
    args = args.parse_args()
    if args.checkpoint:
        tokenizer = Tokenizer.from_file(str(args.checkpoint.parent / "tokenizer.json"))
        show(measure(Trained(*load(args.checkpoint, args.ema), tokenizer)))
        return
    result = measure(Exported(MODEL_DIR))
    show(result)
    main = result["kinds"][f"{REPORT} varied"]
    unseen = None
    if args.unseen_from.exists():
        before = measure(Trained(*load(args.unseen_from), Exported(MODEL_DIR).tokenizer), result["threshold"])
        unseen = before["kinds"][f"{REPORT} varied"]["held_labels"]
        print("unseen names before the final fine-tune:", unseen)
    summary = {
        "pictures": "twemoji on varied backgrounds, 1914 emoji, 45-95 % of the side, JPEG",
        "english": main["english"],
        "languages": main["languages"],
        **{f"other_mean_recall_at_{k}": main[f"other_mean_recall_at_{k}"] for k in RECALL_AT},
        "auc": main["auc"],
        "free_queries_right": main["free_queries_right"],
        "free_queries": main["free_queries"],
        "threshold": result["threshold"],
        "right_kept": main["filter"]["right_kept"],
        "wrong_dropped": main["filter"]["wrong_dropped"],
        "shuffled_dropped": main["filter"]["shuffled_dropped"],
        "filter_by_language": main["filter"]["by_language"],
        "unseen_labels": unseen,
        "other_pictures": {
            name: {k: e[k] for k in ("english", "other_mean_recall_at_1", "other_mean_recall_at_10", "auc")}
            | {"right_kept": e["filter"]["right_kept"], "wrong_dropped": e["filter"]["wrong_dropped"], "free_queries_right": e.get("free_queries_right")}
            for name, e in result["kinds"].items()
            if name != f"{REPORT} varied"
        },
    }
    file = MODEL_DIR / "evaluation.json"
    if file.exists():
        summary["heads"] = common.read_json(file).get("heads")  # heads.py wrote it
    file.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    config = common.read_json(MODEL_DIR / "config.json")
    config["pairmill"] = {"threshold": result["threshold"]}
    (MODEL_DIR / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    write_checksums(MODEL_DIR)
    card = MODEL_DIR / "MODEL_CARD.md"
    put_between(card, "figures", card_table(result, unseen))
    put_between(card, "heads", heads_table(summary["heads"]))
    put_between(card, "export", export_line(common.read_json(common.GOLDEN)["max_difference"]))


if __name__ == "__main__":
    main()

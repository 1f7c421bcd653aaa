"""Reads a run folder with Python's own readers: pyarrow, webdataset, numpy, embedding-reader, mmh3.

Usage: interop.py RUN_FOLDER. Prints a line for each check and, last, `N passed, N failed`; exits with 1 where one failed.
"""

import glob
import json
import os
import re
import sys
import traceback

import mmh3
import numpy
import pyarrow.parquet as parquet
import webdataset
from embedding_reader import EmbeddingReader

run = sys.argv[1]
passed = failed = 0
SETS = ("en", "multi", "nolang")

# pyarrow's names of the types.
CANDIDATE = {"url": "string", "text": "string", "language": "string", "licence": "string", "hash": "int64", "uid": "string",
             "page_url": "string", "crawl_file": "string", "record_offset": "int64"}
SAMPLE = {"url": "string", "caption": "string", "key": "string", "status": "string", "error_message": "string", "width": "int32",
          "height": "int32", "original_width": "int32", "original_height": "int32", "exif": "string", "sha256": "string", "phash": "string", "hash": "int64"}
PAIR = {**SAMPLE, "similarity": "float", "NSFW": "string"}
METADATA = {"image_path": "string", "caption": "string", "url": "string", "hash": "int64", "similarity": "float", "key": "string"}
RELEASE = {"SAMPLE_ID": "int64", "URL": "string", "TEXT": "string", "HEIGHT": "int32", "WIDTH": "int32", "LICENSE": "string",
           "NSFW": "string", "similarity": "double", "hash": "int64", "pwatermark": "float", "punsafe": "float"}


def check(name):
    """Runs the function at once as one check: it fails by raising."""

    def decorate(function):
        global passed, failed
        try:
            said = function()
            passed += 1
            print(f"ok      {name}: {said}")
        except Exception as error:
            failed += 1
            last = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAILED  {name}: {type(error).__name__}: {error} (line {last.lineno})")

    return decorate


def same(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: {str(got)[:300]}, wanted {str(wanted)[:300]}")


def files(pattern):
    found = sorted(glob.glob(os.path.join(run, pattern)))
    if not found:
        raise AssertionError(f"no file {pattern}")
    return found


def table(path, columns, hash_of=None):
    """The table, with the wanted columns of the wanted types, and every hash equal to mmh3's."""
    read = parquet.read_table(path)
    types = {field.name: str(field.type) for field in read.schema}
    same(f"types of {path}", {name: types.get(name) for name in columns}, columns)
    if hash_of:
        url, text = hash_of
        for row in read.select(["hash", url, text]).to_pylist():
            same(f"hash in {path} of {row[url]}", row["hash"], sample_hash(row[url], row[text]))
    return read


def sample_hash(url, text):
    """LAION's: the signed first half of MurmurHash3 x64 128 over URL + TEXT."""
    return mmh3.hash64(((url or "") + (text or "")).encode("utf-8"), signed=True)[0]


def rows(pattern, columns, hash_of=None):
    return sum(table(path, columns, hash_of).num_rows for path in files(pattern))


with open(os.path.join(run, "summary.json"), encoding="utf-8") as file:
    stages = {stage["name"]: stage for stage in json.load(file)["stages"]}


@check("summary: in = out + dropped in every stage")
def _():
    for stage in stages.values():
        same(stage["name"], stage["in"], stage["out"] + sum(stage["dropped"].values()))
    return ", ".join(f"{name} {stage['out']}" for name, stage in stages.items())


@check("candidates: columns, types, hash = mmh3, rows = summary")
def _():
    count = rows("candidates/*.parquet", CANDIDATE, ("url", "text"))
    same("rows", count, stages["extract"]["out"])
    return f"{count} rows"


@check("links: columns, types, hash = mmh3, each URL once, rows = summary")
def _():
    urls = []
    for name in SETS:
        for path in files(f"links/{name}/*.parquet"):
            read = table(path, CANDIDATE, ("url", "text"))
            urls += read.column("url").to_pylist()
    same("rows", len(urls), stages["dedup"]["out"])
    same("distinct URLs", len(set(urls)), len(urls))
    return f"{len(urls)} rows"


def archive(folder, columns, out):
    """Tars read by webdataset, the table beside each, and what both say of a sample."""
    count = 0
    for path in files(f"{folder}/*.tar"):
        read = table(path.replace(".tar", ".parquet"), columns, ("url", "caption")).to_pylist()
        wanted = {row["key"]: row for row in read if row["status"] == "success"}
        keys = []
        for sample in webdataset.WebDataset(path, shardshuffle=False, empty_check=False):
            key = sample["__key__"]
            row = wanted[key]
            keys.append(key)
            meta = json.loads(sample["json"])
            picture = next((sample[suffix] for suffix in ("jpg", "png", "webp") if suffix in sample), None)
            if not picture:
                raise AssertionError(f"{path}: {key} has no picture")
            same(f"text of {key}", sample["txt"].decode("utf-8"), row["caption"] or "")
            same(f"hash in the json of {key}", meta["hash"], row["hash"])
            same(f"key in the json of {key}", meta["key"], key)
            same(f"size in the json of {key}", (meta["width"], meta["height"]), (row["width"], row["height"]))
            if not re.fullmatch(r"\d{9,}", key):
                raise AssertionError(f"{path}: key {key}")
        same(f"keys of {path}", keys, list(wanted))
        count += len(keys)
    same("samples in tars", count, out)
    return f"{count} samples"


@check("samples: webdataset and pyarrow, json = Parquet, hash = mmh3, count = summary")
def _():
    return archive("samples", SAMPLE, stages["download"]["out"])


@check("pairs: webdataset and pyarrow, json = Parquet, hash = mmh3, count = summary")
def _():
    return archive("pairs", PAIR, stages["filter"]["out"])


@check("embeddings: numpy reads float16 rows of length 1")
def _():
    count = 0
    for path in files("embeddings/img_emb/*.npy"):
        shapes = []
        for side in ("img_emb", "text_emb"):
            array = numpy.load(path.replace("img_emb", side))
            same(f"dtype of {side}", str(array.dtype), "float16")
            norms = numpy.linalg.norm(array.astype(numpy.float32), axis=1)
            if array.shape[0] and abs(norms - 1).max() > 2e-3:
                raise AssertionError(f"{path}: norms from {norms.min()} to {norms.max()}")
            shapes.append(array.shape)
        same(f"shapes of {path}", shapes[0], shapes[1])
        metadata = table(path.replace("img_emb", "metadata").replace(".npy", ".parquet"), METADATA, ("url", "caption"))
        same(f"rows of metadata of {path}", metadata.num_rows, shapes[0][0])
        count += shapes[0][0]
    same("rows", count, stages["embed"]["out"])
    return f"{count} rows of {shapes[0][1]}"


@check("embeddings: embedding-reader reads embeddings and metadata together")
def _():
    reader = EmbeddingReader(
        embeddings_folder=os.path.join(run, "embeddings/img_emb"),
        metadata_folder=os.path.join(run, "embeddings/metadata"),
        file_format="parquet_npy",
        meta_columns=["image_path", "caption", "url"],
    )
    same("count", reader.count, stages["embed"]["out"])
    count = 0
    for vectors, metadata in reader(batch_size=1000, show_progress=False):
        same("rows of a batch", len(metadata), vectors.shape[0])
        count += vectors.shape[0]
    same("rows", count, reader.count)
    return f"{count} rows of {reader.dimension}"


@check("tags: a row and a value for every embedding, joined by hash")
def _():
    tagged = [hash for path in files("tags/*.parquet") for hash in table(path, {"hash": "int64"}).column("hash").to_pylist()]
    embedded = [hash for path in files("embeddings/metadata/*.parquet") for hash in table(path, METADATA).column("hash").to_pylist()]
    same("hashes", sorted(tagged), sorted(embedded))
    return f"{len(tagged)} rows"


@check("release: LAION's columns and types, hash = mmh3, each sample once, rows = summary")
def _():
    hashes = []
    for name in SETS:
        columns = RELEASE if name == "en" else {**RELEASE, "LANGUAGE": "string"}
        for path in files(f"release/{name}/part-*.snappy.parquet"):
            if not re.fullmatch(r"part-\d{5}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-c000\.snappy\.parquet", os.path.basename(path)):
                raise AssertionError(f"name of {path}")
            read = table(path, columns, ("URL", "TEXT"))
            if name == "en" and "LANGUAGE" in read.column_names:
                raise AssertionError(f"{path} has a column LANGUAGE")
            codec = parquet.ParquetFile(path).metadata
            if codec.num_rows:
                same(f"codec of {path}", codec.row_group(0).column(0).compression, "SNAPPY")
            same(f"SAMPLE_ID of {path}", read.column("SAMPLE_ID").to_pylist(), read.column("hash").to_pylist())
            hashes += read.column("hash").to_pylist()
    same("rows", len(hashes), stages["release"]["out"])
    same("distinct hashes", len(set(hashes)), len(hashes))
    embedded = {hash for path in files("embeddings/metadata/*.parquet") for hash in table(path, METADATA).column("hash").to_pylist()}
    if not set(hashes) <= embedded:
        raise AssertionError(f"{len(set(hashes) - embedded)} hashes of the release have no embedding")
    return f"{len(hashes)} rows"


@check("release: statistics and manifest are JSON")
def _():
    for name in ("statistics.json", "manifest.json"):
        with open(os.path.join(run, "release", name), encoding="utf-8") as file:
            json.load(file)
    return "both"


# On a line of its own, also after a progress bar that a reader left on the same terminal or log.
print(f"\n{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)

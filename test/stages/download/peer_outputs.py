"""img2dataset and its readers, for img2dataset.test.ts. Usage: peer_outputs.py compare JOBS | read FOLDER | blur JOB.

compare takes a JSON list of {"ours": FOLDER, "options": {...}}: it runs img2dataset with these options, and prints for each job what lies in
our folder and in its own. read lets open_clip, webdataset and img2dataset's own reader of lists read our folder. blur takes {"picture": PNG, "boxes": [...]} and prints img2dataset's pixels.
"""

import glob
import json
import os
import sys


def describe(folder, form):
    """Columns with types, rows, members of each sample and its json, and what the marker says."""
    import pyarrow.parquet as parquet

    described = {"columns": [], "rows": [], "members": [], "json": [], "marker": {}}
    with open(os.path.join(folder, "00000_stats.json"), encoding="utf-8") as file:
        described["marker"] = json.load(file)
    path = os.path.join(folder, "00000.parquet")
    if os.path.exists(path):
        table = parquet.read_table(path)
        described["columns"] = [[field.name, str(field.type)] for field in table.schema]
        for row in sorted(table.to_pylist(), key=lambda row: row["key"]):
            described["rows"].append({name: len(value) if isinstance(value, bytes) else value for name, value in row.items()})
    if form == "webdataset":
        import webdataset

        for sample in webdataset.WebDataset(os.path.join(folder, "00000.tar"), shardshuffle=False):
            described["members"].append([sample["__key__"], [name for name in sample if not name.startswith("__")]])
            described["json"].append(json.loads(sample["json"]))
    if form == "files":
        names = sorted(os.path.basename(path) for path in glob.glob(os.path.join(folder, "00000", "*")))
        for key in sorted({name.split(".")[0] for name in names}):
            described["members"].append([key, [name.split(".")[1] for name in names if name.startswith(key)]])
            with open(os.path.join(folder, "00000", key + ".json"), encoding="utf-8") as file:
                described["json"].append(json.load(file))
    described["members"].sort()
    described["json"].sort(key=lambda meta: meta["key"])
    return described


def read(folder):
    """Samples by open_clip's pipeline of training, and links by img2dataset's reader."""
    import tempfile

    import webdataset
    from img2dataset.reader import Reader
    from open_clip_train.data import filter_no_caption_or_no_image

    # What open_clip's get_wds_dataset makes, but for its own splitter of tars, which fails with the webdataset of today on any tar.
    pipeline = webdataset.DataPipeline(
        webdataset.SimpleShardList([os.path.join(folder, "00000.tar")]),
        webdataset.tarfile_to_samples(),
        webdataset.select(filter_no_caption_or_no_image),
        webdataset.decode("pilrgb"),
        webdataset.rename(image="jpg;png;jpeg;webp", text="txt"),
        webdataset.to_tuple("image", "text"),
    )
    samples = [[list(image.size), text] for image, text in pipeline]
    with tempfile.TemporaryDirectory() as scratch:
        reader = Reader(os.path.join(folder, "00000.parquet"), "parquet", "url", "caption", "sha256", "sha256", ["hash"], 10000, set(), scratch)
        import pyarrow

        links = []
        for _, path in reader:
            with open(path, "rb") as file:
                links += pyarrow.ipc.open_file(file).read_all().to_pylist()
    return {"samples": samples, "links": links}


def compare(jobs):
    from img2dataset import download

    said = []
    for job in jobs:
        options = job["options"]
        download(**options)
        form = options["output_format"]
        said.append([describe(job["ours"], form), describe(options["output_folder"], form)])
    return said


def blur(job):
    import cv2
    from img2dataset.blurrer import BoundingBoxBlurrer

    blurred = BoundingBoxBlurrer()(cv2.imread(job["picture"]), job["boxes"])
    return cv2.cvtColor(blurred, cv2.COLOR_BGR2RGB).tobytes().hex()


if __name__ == "__main__":
    command, argument = sys.argv[1:]
    answer = json.dumps(read(argument) if command == "read" else {"compare": compare, "blur": blur}[command](json.loads(argument)))
    print(f"\n{answer}")

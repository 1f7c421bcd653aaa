"""clip-retrieval's own writer of embeddings and its own client, loaded without the package, which would load torch; and its own index
and back, with autofaiss, which do.

Usage: clip-retrieval.py write FOLDER | ask URL INDEX | back EMBEDDINGS INDEX PORT
"""

import importlib.util
import json
import sys

FOLDER = importlib.util.find_spec("clip_retrieval").submodule_search_locations[0]
ROWS, DIMENSIONS = 8, 256


def load(path):
    spec = importlib.util.spec_from_file_location("loaded", f"{FOLDER}/{path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def vector(row):
    """Of length 1, and nearest to itself."""
    import numpy

    values = numpy.full(DIMENSIONS, 0.01)
    values[row] = 1
    return (values / numpy.linalg.norm(values)).astype(numpy.float16)


def write(folder):
    """What `clip-retrieval inference --enable_metadata True` writes of a webdataset, in two partitions."""
    import numpy

    writer = load("clip_inference/writer.py").NumpyWriter
    for partition in range(2):
        output = writer(partition, folder, True, True, True, 2)
        rows = range(partition * ROWS // 2, (partition + 1) * ROWS // 2)
        images = numpy.stack([vector(row) for row in rows])
        output(
            {
                "image_embs": images,
                "text_embs": images,
                "image_filename": [f"{row:09d}" for row in rows],
                "text": [f"picture <b>{row}</b>" for row in rows],
                "metadata": [json.dumps({"url": f"http://h.test/{row}.jpg", "shop": {"name": f"shop {row}"}, "n": row}) for row in rows],
            }
        )
        output.flush()


def ask(url, index):
    client = load("clip_client.py").ClipClient(url=f"{url}/knn-service", indice_name=index, num_images=3, deduplicate=False)
    print(json.dumps([client.query(embedding_input=vector(6).tolist()), client.query(text="a cat")]))


def back(embeddings, index, port):
    """Indexes embeddings, serves them, and asks for the neighbours of each picture and of each text, and for what the back knows of them."""
    import glob
    import os
    import threading
    import time

    import all_clip
    import numpy
    import requests
    from clip_retrieval.clip_back import clip_back
    from clip_retrieval.clip_client import ClipClient, Modality
    from clip_retrieval.clip_index import clip_index

    clip_index(embeddings, index, max_index_memory_usage="1G", current_memory_available="2G", nb_cores=1)
    paths = f"{index}/indices_paths.json"
    with open(paths, "w", encoding="utf-8") as file:
        json.dump({"ours": index}, file)
    # It would download the weights; queries are vectors.
    all_clip.load_clip = lambda *_arguments, **_options: (None, None, None)
    columns = ["url", "image_path", "caption", "hash", "seller"]
    options = {"enable_mclip_option": False, "provide_aesthetic_embeddings": False, "columns_to_return": columns}
    threading.Thread(target=lambda: clip_back(paths, port=int(port), **options), daemon=True).start()
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            requests.get(f"{url}/indices-list", timeout=5)
            break
        except requests.ConnectionError:
            time.sleep(0.1)
    found = {}
    for modality, folder in ((Modality.IMAGE, "img_emb"), (Modality.TEXT, "text_emb")):
        client = ClipClient(url=f"{url}/knn-service", indice_name="ours", modality=modality, num_images=3, deduplicate=False)
        vectors = numpy.concatenate([numpy.load(path) for path in sorted(glob.glob(f"{embeddings}/{folder}/*.npy"))])
        found[folder] = [client.query(embedding_input=vector.tolist()) for vector in vectors]
    ids = [hits[0]["id"] for hits in found["img_emb"]]
    metadata = requests.post(f"{url}/metadata", json={"ids": ids, "indice_name": "ours"}, timeout=5).json()
    print(json.dumps({**found, "metadata": metadata}), flush=True)
    os._exit(0)


{"write": write, "ask": ask, "back": back}[sys.argv[1]](*sys.argv[2:])

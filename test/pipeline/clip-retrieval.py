"""clip-retrieval's own writer of embeddings and its own client, loaded without the package, which would load torch.

Usage: clip-retrieval.py write FOLDER | ask URL INDEX
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


{"write": write, "ask": ask}[sys.argv[1]](*sys.argv[2:])

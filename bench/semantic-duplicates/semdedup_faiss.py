"""SemDeDup on a CPU as its authors write it: k-means by faiss, the products of each cluster by torch.

python semdedup_faiss.py EMBEDDINGS CLUSTERS: prints JSON with seconds, peak memory and how many are duplicates at 0.95.
"""

import glob
import json
import resource
import sys
import time

import faiss
import numpy
import pyarrow.parquet
import torch

folder, clusters = sys.argv[1], int(sys.argv[2])
start = time.time()
vectors = numpy.concatenate([numpy.load(path) for path in sorted(glob.glob(f"{folder}/img_emb/*.npy"))]).astype("float32")
tables = [pyarrow.parquet.read_table(path, columns=["hash"]) for path in sorted(glob.glob(f"{folder}/metadata/*.parquet"))]
hashes = numpy.concatenate([table["hash"].to_numpy() for table in tables])
faiss.normalize_L2(vectors)
kmeans = faiss.Kmeans(vectors.shape[1], clusters, niter=20, spherical=True, max_points_per_centroid=64, seed=1)
kmeans.train(vectors)
_, nearest = kmeans.index.search(vectors, 1)
order = numpy.lexsort((hashes, nearest[:, 0]))
bounds = numpy.searchsorted(nearest[order, 0], numpy.arange(clusters + 1))
duplicates = 0
for first, last in zip(bounds[:-1], bounds[1:]):
    rows = torch.from_numpy(vectors[order[first:last]])
    if len(rows) > 1:
        duplicates += int((torch.triu(rows @ rows.T, diagonal=1).max(dim=0)[0] >= 0.95).sum())
print(json.dumps({"seconds": time.time() - start, "peakMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "duplicates": duplicates}))

/**
 * Options of img2dataset, clip-retrieval and autofaiss that have no option of ours under their name: what to give instead, or why nothing
 * is needed. A sentence that follows "PEER's --name:".
 */
export const peerOptions: Readonly<Record<string, { peer: 'img2dataset' | 'clip-retrieval' | 'autofaiss'; answer: string }>> = {
  'input-format': { peer: 'img2dataset', answer: 'the format of a list is found by its content. Leave it out.' },
  'enable-wandb': { peer: 'img2dataset', answer: 'the figures of a run stand in summary.json and in NNNNN_stats.json. Leave it out.' },
  'wandb-project': { peer: 'img2dataset', answer: 'the figures of a run stand in summary.json and in NNNNN_stats.json. Leave it out.' },
  'oom-shard-count': { peer: 'img2dataset', answer: 'names of shards have five digits, and more where there are more. Leave it out.' },
  distributor: { peer: 'img2dataset', answer: '--workers says how many shards are worked on at a time; pairmill task makes one shard on any machine.' },
  'subjob-size': { peer: 'img2dataset', answer: 'shards are not grouped into jobs. Leave it out.' },
  'incremental-mode': {
    peer: 'img2dataset',
    answer:
      'a run always goes on where it stopped (incremental); new lists beside the old ones in --input get the next shards (extend); --redo download makes all again (overwrite).',
  },
  'max-shard-retry': {
    peer: 'img2dataset',
    answer: 'a shard that may heal is tried again by itself, and the same command tries again what failed. Leave it out.',
  },
  'user-agent-token': { peer: 'img2dataset', answer: 'the user agent names Pairmill; --contact adds whom to ask.' },
  'wds-image-key': { peer: 'clip-retrieval', answer: 'the picture of a sample is found by its ending. Leave it out.' },
  'wds-caption-key': {
    peer: 'clip-retrieval',
    answer: 'the text is taken from the json, else from .txt; --caption-col names the key of the json (pairmill import).',
  },
  'wds-number-file-per-input-file': { peer: 'clip-retrieval', answer: 'samples are counted. Leave it out.' },
  'enable-text': { peer: 'clip-retrieval', answer: 'texts and pictures are both embedded. Leave it out.' },
  'enable-image': { peer: 'clip-retrieval', answer: 'texts and pictures are both embedded. Leave it out.' },
  'enable-metadata': { peer: 'clip-retrieval', answer: 'all columns of the samples are in the metadata. Leave it out.' },
  'num-prepro-workers': { peer: 'clip-retrieval', answer: 'give --workers.' },
  'cache-path': { peer: 'clip-retrieval', answer: 'tars that lie far away are copied for as long as they are read. Leave it out.' },
  'use-jit': { peer: 'clip-retrieval', answer: 'models run on onnxruntime. Leave it out.' },
  'clip-batch-size': { peer: 'clip-retrieval', answer: 'give --batch-size.' },
  'output-partition-count': { peer: 'clip-retrieval', answer: 'give --write-batch-size, the samples of a part.' },
  'max-index-memory-usage': { peer: 'clip-retrieval', answer: 'the index lies on the disk; --bits says how much of a vector stays in memory.' },
  'current-memory-available': { peer: 'clip-retrieval', answer: 'give --memory.' },
  'index-folder': { peer: 'clip-retrieval', answer: 'give --output.' },
  'copy-metadata': { peer: 'clip-retrieval', answer: 'the metadata is part of the index. Leave it out.' },
  'nb-cores': { peer: 'autofaiss', answer: 'give --workers.' },
  'indices-paths': { peer: 'clip-retrieval', answer: 'give --input, the folder of a run or of an index.' },
  'enable-hdf5': { peer: 'clip-retrieval', answer: 'the metadata is part of the index. Leave it out.' },
  'use-arrow': { peer: 'clip-retrieval', answer: 'the metadata is part of the index. Leave it out.' },
  'enable-faiss-memory-mapping': { peer: 'clip-retrieval', answer: 'an index always stays on the disk. Leave it out.' },
  'columns-to-return': { peer: 'clip-retrieval', answer: 'a search returns all columns. Leave it out.' },
  'reorder-metadata-by-ivf-index': { peer: 'clip-retrieval', answer: 'the metadata is part of the index. Leave it out.' },
  'index-path': { peer: 'autofaiss', answer: 'give --output.' },
  'index-key': { peer: 'autofaiss', answer: 'the index is IVF with RaBitQ codes; --lists, --bits, --nprobes and --refine set it.' },
  'index-param': { peer: 'autofaiss', answer: 'give --nprobes and --refine.' },
  'min-nearest-neighbors-to-retrieve': { peer: 'autofaiss', answer: 'give --nprobes; the recall that it reaches is measured and printed.' },
  'max-index-query-time-ms': { peer: 'autofaiss', answer: 'give --nprobes; the recall that it reaches is measured and printed.' },
  'metric-type': { peer: 'autofaiss', answer: 'vectors are compared by their cosine. Leave it out.' },
};

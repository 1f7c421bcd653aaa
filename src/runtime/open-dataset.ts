import type { Dataset, DatasetInput, DatasetState } from '../contracts/dataset.ts';
import { ShardError } from '../contracts/errors.ts';
import type { ShardStats } from '../contracts/shard-stats.ts';
import type { Storage } from '../contracts/storage.ts';
import { readDatasetState } from './dataset-state.ts';

/** A dataset as a running shard sees it: the shards that count. Copies of remote files go into `scratch`. */
export function openDataset(
  name: string,
  storage: Storage,
  input: DatasetInput | undefined,
  scratch: string,
  signal: AbortSignal,
  counts?: (marker: ShardStats) => boolean,
): Dataset {
  let state: Promise<DatasetState> | undefined;
  return {
    name,
    location: storage.location,
    storage,
    state: () => (state ??= readDatasetState(storage, input, counts)),
    fetch: async (file) => {
      if ((await storage.size(file)) === undefined && !(await isFolder(storage, file)))
        throw new ShardError(`${file} in ${storage.location} is missing. pairmill verify says what else is; the stage that wrote it makes it again.`);
      return storage.fetch(file, scratch, signal);
    },
  };
}

async function isFolder(storage: Storage, name: string): Promise<boolean> {
  return (await storage.list(name)).length > 0;
}

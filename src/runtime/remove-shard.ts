import type { ShardStats } from '../contracts/shard-stats.ts';
import type { Storage } from '../contracts/storage.ts';
import { markerName } from './marker.ts';
import { isOurs } from './shard-verdict.ts';

/** Removes the marker of a shard, then its files: killed between the two, it is a shard that is not there. */
export async function removeShard(
  storage: Storage,
  shard: string,
  marker: ShardStats | { foreign: unknown },
  reached: (point: string) => void = () => undefined,
): Promise<void> {
  await storage.remove(markerName(shard));
  reached('unmade');
  if (isOurs(marker))
    await removeFiles(
      storage,
      marker.files.map(({ name }) => name),
    );
}

export async function removeFiles(storage: Storage, names: readonly string[]): Promise<void> {
  for (const name of names) await storage.remove(name);
}

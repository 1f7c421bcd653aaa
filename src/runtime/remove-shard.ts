import type { Storage } from '../contracts/storage.ts';
import { isOurs, type Marker, markerName } from './marker.ts';

/** Removes the marker of a shard, then its files: killed between the two, it is a shard that is not there. */
export async function removeShard(storage: Storage, shard: string, marker: Marker, reached: (point: string) => void = () => undefined): Promise<void> {
  await storage.remove(markerName(shard));
  reached('unmade');
  if (isOurs(marker)) for (const { name } of marker.files) await storage.remove(name);
}

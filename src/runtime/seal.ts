import { createHash } from 'node:crypto';
import type { SealRecord } from '../contracts/dataset.ts';
import type { SealedDataset, ShardStats } from '../contracts/shard-stats.ts';
import type { Storage } from '../contracts/storage.ts';
import { SEALED } from './dataset-reader.ts';
import { byNumber } from './marker.ts';

/** What `_sealed.json` says of a dataset that is whole. */
export function sealOf(stage: string, markers: ReadonlyMap<string, ShardStats>, record?: SealRecord): SealedDataset {
  const shards = Object.fromEntries([...markers.values()].sort((a, b) => byNumber(a.shard, b.shard)).map(({ shard, digest }) => [shard, digest]));
  const digest = createHash('sha256');
  // The names are kept apart: as keys, those that look like numbers would lose their order.
  for (const [name, shard] of Object.entries(shards).sort(([a], [b]) => byNumber(a, b))) digest.update(`${name} ${shard}\n`);
  return { stage, shards, digest: digest.digest('hex'), ...(record && { record }) };
}

export async function writeSeal(storage: Storage, seal: SealedDataset): Promise<void> {
  await storage.writeText(SEALED, `${JSON.stringify(seal, null, 2)}\n`);
}

/** The dataset is not whole any more. */
export async function breakSeal(storage: Storage): Promise<void> {
  await storage.remove(SEALED);
}

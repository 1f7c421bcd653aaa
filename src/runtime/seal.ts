import { createHash } from 'node:crypto';
import type { SealRecord } from '../contracts/dataset.ts';
import { SealedDataset, type ShardStats } from '../contracts/shard-stats.ts';
import type { Storage } from '../contracts/storage.ts';
import { byNumber } from './by-number.ts';

export const SEALED = '_sealed.json';

/** What `_sealed.json` says of a dataset that is whole. */
export function sealOf(stage: string, markers: ReadonlyMap<string, ShardStats>, record?: SealRecord): SealedDataset {
  const ordered = [...markers.values()].sort((a, b) => byNumber(a.shard, b.shard));
  const digest = createHash('sha256');
  for (const marker of ordered) digest.update(`${marker.shard} ${marker.digest}\n`);
  const shards = Object.fromEntries(ordered.map((marker) => [marker.shard, marker.digest]));
  return { stage, shards, digest: digest.digest('hex'), ...(record && { record }) };
}

/** Undefined where there is none that can be read: the dataset counts as not whole, and is sealed again. */
export async function readSeal(storage: Storage): Promise<SealedDataset | undefined> {
  const text = await storage.readText(SEALED);
  if (text === undefined) return undefined;
  try {
    return SealedDataset.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export async function writeSeal(storage: Storage, seal: SealedDataset): Promise<void> {
  await storage.writeText(SEALED, `${JSON.stringify(seal, null, 2)}\n`);
}

/** The dataset is not whole any more. */
export async function breakSeal(storage: Storage): Promise<void> {
  await storage.remove(SEALED);
}

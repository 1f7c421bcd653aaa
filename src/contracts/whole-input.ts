import { createHash } from 'node:crypto';
import type { DatasetState } from './dataset.ts';
import type { ShardInput } from './stage.ts';

/** A dataset as one input of a shard that reads it whole: known by the digests of its shards, in order. */
export function wholeInput(name: string, { shards }: DatasetState): ShardInput {
  const digest = createHash('sha256');
  for (const shard of shards) digest.update(`${shard.name} ${shard.digest}\n`);
  return { name, digest: digest.digest('hex') };
}

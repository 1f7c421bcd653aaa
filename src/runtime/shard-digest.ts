import { createHash } from 'node:crypto';
import type { ShardFile } from '../contracts/shard-stats.ts';
import { stableJson } from './stable-json.ts';

/** What a shard is known by: its files, or where it has none, what it was made from. */
export function digestOf(files: readonly ShardFile[], inputs: Readonly<Record<string, string>>): string {
  return sha256(stableJson(files.length > 0 ? files.map(({ name, sha256 }) => [name, sha256]) : inputs));
}

/** What stands for a shard and all before it on which it depends. */
export function lineageOf(before: readonly string[], digest: string): string {
  return sha256(stableJson([...before, digest]));
}

/** The name under which a shard's lineage is an input of the shard after it. */
export function allBefore(dataset: string, shard: string): string {
  return `${dataset}/${shard} and all before it`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

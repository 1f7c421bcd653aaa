import { hash } from 'node:crypto';
import { z } from 'zod';
import type { Dataset } from '../../contracts/dataset.ts';
import { ShardError } from '../../contracts/errors.ts';
import type { Shard } from '../../contracts/stage.ts';
import { readMarker } from '../../runtime/marker.ts';
import { sizeOfPartition } from './bloom-memory.ts';
import type { DedupOptions } from './options.ts';
import { type DedupWork, laneOf } from './plan-lanes.ts';

/**
 * A place in a lane: the last shard whose keys are in the bloom filter, and the chain of hashes over what it started from and the
 * keys of each shard since. Two bloom filters with one chain hold the same.
 */
export interface LanePosition {
  /** Undefined before the first shard. */
  after: string | undefined;
  chain: string;
}

/** What the marker of a shard says of the bloom filter after it. */
const Marked = z.object({ bloom: z.object({ chain: z.string() }) });

export function startOfLane({ partition, partitions, blooms }: DedupWork, options: DedupOptions): LanePosition {
  const { blocks, hashes } = sizeOfPartition(options);
  return { after: undefined, chain: hash('sha256', JSON.stringify([blocks, hashes, options.dedupKey, partition, partitions, ...blooms])) };
}

/** After a shard that kept the keys of which `keys` is the sha256. */
export function nextPosition({ chain }: LanePosition, shard: string, keys: string): LanePosition {
  return { after: shard, chain: hash('sha256', `${chain}\n${keys}`) };
}

/** Where the lane stands before a shard: after the last one that was not skipped. */
export async function positionBefore(shard: Shard<DedupWork>, own: Dataset, options: DedupOptions): Promise<LanePosition> {
  const [previous] = shard.after ?? [];
  if (previous === undefined) return startOfLane(shard.work, options);
  const position = await positionAfter(previous, own);
  if (position) return position;
  const last = (await finishedLane(own, shard.work)).filter((name) => Number(name) < Number(shard.name)).at(-1);
  if (last === undefined) return startOfLane(shard.work, options);
  const found = await positionAfter(last, own);
  if (!found) throw new ShardError(`Shard ${last} of ${own.location} does not say what its bloom filter holds. Make it again with --redo dedup.`);
  return found;
}

/** As the marker of a finished shard has it; undefined where there is none, or the shard was skipped. */
export async function positionAfter(shard: string, own: Dataset): Promise<LanePosition | undefined> {
  const marked = Marked.safeParse(await readMarker(own.storage, shard));
  return marked.success ? { after: shard, chain: marked.data.bloom.chain } : undefined;
}

/** Names of the finished shards of a partition, without skipped ones. */
export async function finishedLane(own: Dataset, { partition, partitions }: Pick<DedupWork, 'partition' | 'partitions'>): Promise<string[]> {
  const { shards } = await own.state();
  return laneOf(
    shards.map(({ name }) => name),
    partition,
    partitions,
  );
}

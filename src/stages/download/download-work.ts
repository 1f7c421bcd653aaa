import { z } from 'zod';
import { type DatasetState, type PublishedShard, shardsInRow } from '../../contracts/dataset.ts';
import { partOfInput } from '../../contracts/part-of-input.ts';
import { nextShardNumber, shardName } from '../../contracts/sample-key.ts';
import type { Plan, Shard } from '../../contracts/stage.ts';

/** Links that finished shards have dropped under these reasons. */
const RetryWork = z.object({ retry: z.array(z.object({ shard: z.string(), reasons: z.array(z.string()) })), size: z.int().positive() });
export type RetryWork = z.output<typeof RetryWork>;

/**
 * What a shard downloads: a batch, rows of a list (`end` excluded), or what failed. `size`: links in a full shard, which decides the
 * digits of its keys.
 */
export const DownloadWork = z.union([
  z.object({ batch: z.string(), size: z.int().positive() }),
  z.object({ list: z.string(), start: z.int(), end: z.int(), size: z.int().positive() }),
  RetryWork,
]);
export type DownloadWork = z.output<typeof DownloadWork>;
type ListWork = Extract<DownloadWork, { list: string }>;

/** True for the work of a shard that tries links again. */
export function isRetry(work: unknown): work is RetryWork {
  return typeof work === 'object' && work !== null && 'retry' in work;
}

/** True where a shard does not follow from the markers: how a list was cut, what is tried again, a batch under another number. */
export function isChosen({ name, work }: Shard<DownloadWork>): boolean {
  return !('batch' in work) || work.batch !== name;
}

/** One shard for each batch, under its number; where a shard that tries links again has that, under the next free one. */
export function planBatches({ shards, sealed }: DatasetState, recorded: ReadonlyMap<string, DownloadWork>): Plan<DownloadWork> {
  const moved = new Map([...recorded].flatMap(([shard, work]) => ('batch' in work ? [[work.batch, shard] as const] : [])));
  let next = nextShardNumber([...recorded.keys(), ...shards.map(({ name }) => name)]);
  return {
    shards: shards.map(({ name, digest, madeBy, out }) => ({
      name: moved.get(name) ?? (recorded.has(name) ? shardName(next++) : name),
      work: { batch: name, size: Number(madeBy?.options['numberSamplePerShard'] ?? Math.max(1, out ?? 1)) },
      inputs: [{ name: `batches/${name}`, digest }],
    })),
    complete: sealed,
  };
}

/**
 * Lists cut into shards of `size` links, each list for itself, as img2dataset does it: in the order of the lists as far as they are
 * there, so that the numbers do not depend on which was read first. How a list was cut is recorded: rows that it has got since then,
 * and lists that are new, get the next numbers.
 */
export function planLists({ shards: lists, sealed }: DatasetState, recorded: ReadonlyMap<string, DownloadWork>, size: number): Plan<DownloadWork> {
  const works = [...recorded].filter((entry): entry is [string, ListWork] => 'list' in entry[1]);
  const ends = new Map<string, number>();
  for (const [, { list, end }] of works) ends.set(list, Math.max(ends.get(list) ?? 0, end));
  let next = nextShardNumber(recorded.keys());
  for (const { name, out = 0 } of sealed ? lists : shardsInRow(lists)) {
    for (let start = ends.get(name) ?? 0; start < out; start += size)
      works.push([shardName(next++), { list: name, start, end: Math.min(out, start + size), size }]);
  }
  const byName = new Map(lists.map((shard) => [shard.name, shard]));
  return { shards: works.flatMap(([name, work]) => shardOf(name, work, byName.get(work.list)) ?? []), complete: sealed };
}

/** Undefined where the list, or that part of it, is gone. */
function shardOf(name: string, work: ListWork, list: PublishedShard | undefined): Shard<DownloadWork> | undefined {
  if (!list || (list.out ?? 0) <= work.start) return undefined;
  return { name, work, inputs: [partOfInput({ name: `lists/${list.name}`, digest: list.digest }, work)] };
}

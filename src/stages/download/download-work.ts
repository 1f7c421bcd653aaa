import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { DatasetState } from '../../contracts/dataset.ts';
import { shardName } from '../../contracts/sample-key.ts';
import type { Plan, Shard } from '../../contracts/stage.ts';
import type { ListFile } from './list-files.ts';

/** Rows of a file, the last one excluded. */
const ListPart = z.object({ file: z.string(), start: z.int(), end: z.int() });

/** What a shard downloads: a batch, or rows of a list. `size`: links in a full shard, which decides the digits of its keys. */
export const DownloadWork = z.union([
  z.object({ batch: z.string(), size: z.int().positive() }),
  z.object({ parts: z.array(ListPart), size: z.int().positive() }),
]);
export type DownloadWork = z.output<typeof DownloadWork>;

/** One shard for each batch, under its number. */
export function planBatches({ shards, sealed }: DatasetState): Plan<DownloadWork> {
  return {
    shards: shards.map(({ name, digest, madeBy, out }) => ({
      name,
      work: { batch: name, size: Number(madeBy?.options['numberSamplePerShard'] ?? Math.max(1, out ?? 1)) },
      inputs: [{ name: `batches/${name}`, digest }],
    })),
    complete: sealed,
  };
}

/** Batches of `size` links in the order of the files. A batch may span files; only the last one is partial. */
export function planList(files: readonly ListFile[], size: number): Plan<DownloadWork> {
  const batches: z.output<typeof ListPart>[][] = [];
  let filled = size;
  for (const { name, rows } of files) {
    for (let start = 0; start < rows;) {
      if (filled === size) {
        batches.push([]);
        filled = 0;
      }
      const end = Math.min(rows, start + size - filled);
      batches.at(-1)!.push({ file: name, start, end });
      filled += end - start;
      start = end;
    }
  }
  const identities = new Map(files.map(({ name, identity }) => [name, identity]));
  return { shards: batches.map((parts, number) => listShard(number, parts, size, identities)), complete: true };
}

function listShard(number: number, parts: z.output<typeof ListPart>[], size: number, identities: ReadonlyMap<string, string>): Shard<DownloadWork> {
  const digest = createHash('sha256');
  for (const { file, start, end } of parts) digest.update(`${start} ${end} ${identities.get(file)}\n`);
  return { name: shardName(number), work: { parts, size }, inputs: [{ name: 'list', digest: digest.digest('hex') }] };
}

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { nextShardNumber, shardName } from '../../contracts/sample-key.ts';
import type { Shard } from '../../contracts/stage.ts';
import { SourceWork } from '../../sources/source-work.ts';

/** What a shard packs: pictures of a folder (relative to it, in their order), one tar, or one Parquet file that holds pictures. */
export const ImportWork = z.union([z.object({ pictures: z.array(z.string()) }), z.object({ tar: SourceWork }), z.object({ parquet: SourceWork })]);
export type ImportWork = z.output<typeof ImportWork>;

/** The tar or Parquet file that a shard packs; undefined where it packs pictures of a folder. */
export function archiveOf(work: ImportWork): SourceWork | undefined {
  if ('tar' in work) return work.tar;
  return 'parquet' in work ? work.parquet : undefined;
}

/** A picture of a folder, with what lies beside it. */
export interface FoundPicture {
  /** Relative to the folder. */
  readonly path: string;
  /** Sizes of the picture and of the text and json beside it: they tell whether it has changed. */
  readonly identity: string;
}

/**
 * The shards of a folder. A picture that was packed keeps its shard; new ones fill new shards, in the order of their paths. `captions`
 * is the identity of the list of texts: where it has changed, all are made again.
 */
export function planPictures(found: readonly FoundPicture[], recorded: ReadonlyMap<string, ImportWork>, size: number, captions: string): Shard<ImportWork>[] {
  const byPath = new Map(found.map((picture) => [picture.path, picture]));
  const shards: { name: string; pictures: string[] }[] = [];
  const taken = new Set<string>();
  for (const [name, work] of recorded) {
    if (!('pictures' in work)) continue;
    for (const path of work.pictures) taken.add(path);
    shards.push({ name, pictures: work.pictures.filter((path) => byPath.has(path)) });
  }
  const fresh = found.filter(({ path }) => !taken.has(path)).map(({ path }) => path);
  let next = nextShardNumber(recorded.keys());
  for (let start = 0; start < fresh.length; start += size) shards.push({ name: shardName(next++), pictures: fresh.slice(start, start + size) });
  return shards
    .filter(({ pictures }) => pictures.length > 0)
    .map(({ name, pictures }) => ({ name, work: { pictures }, inputs: [inputOf(pictures, byPath, captions)] }));
}

function inputOf(pictures: readonly string[], found: ReadonlyMap<string, FoundPicture>, captions: string): { name: string; digest: string } {
  const digest = createHash('sha256').update(captions);
  for (const path of pictures) digest.update(`\n${path} ${found.get(path)!.identity}`);
  return { name: 'pictures', digest: digest.digest('hex') };
}

import { createHash } from 'node:crypto';
import type { Dataset, PublishedShard } from '../contracts/dataset.ts';
import { ShardError } from '../contracts/errors.ts';
import type { LinkFile } from './link-file.ts';

/** Links of another tool, in their sets or in one folder: `00000.parquet`, or Spark's `part-00000-…-c000.snappy.parquet` as LAION's are. */
export const foreignLinks = { unmarked: /^(?:(?:en|multi|nolang)\/)?(?:part-)?(\d+)(?:-[^/]*)?\.parquet$/, foreignUnmarked: true };

/** A shard of links with what stands for it and all before it. */
export interface ChainedShard {
  readonly number: number;
  readonly shard: PublishedShard;
  readonly chain: string;
}

/** The shards of links in order. Which rows of one are duplicates depends on all before it, and so does its chain. */
export function chained(shards: readonly PublishedShard[]): ChainedShard[] {
  let before = '';
  return shards.map((shard) => {
    before = createHash('sha256').update(`${before} ${shard.name} ${shard.digest}`).digest('hex');
    return { number: Number(shard.name), shard, chain: before };
  });
}

/**
 * The Parquet files of a shard of links, in order: sets by their folder, or whatever another tool calls them. Throws
 * ShardError where one that belongs to it is not there.
 */
export async function linkFiles(links: Dataset, shard: PublishedShard): Promise<LinkFile[]> {
  const names = shard.files.filter((name) => name.endsWith('.parquet'));
  if (names.length === 0)
    throw new ShardError(`Shard ${shard.name} of ${links.location} has no Parquet file. Run dedup again, or name another folder with --input.`);
  const files: LinkFile[] = [];
  for (const name of names)
    files.push({
      path: await links.fetch(name),
      name: `${links.name}/${name}`,
      language: name.startsWith('en/') ? 'en' : '',
      trusted: shard.madeBy !== undefined,
    });
  return files;
}

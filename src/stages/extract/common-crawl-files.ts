import { hash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { UsageError } from '../../contracts/errors.ts';
import { S3Objects } from '../../storage/s3-objects.ts';
import type { SourceFile } from '../../sources/source-file.ts';
import { openSource } from '../../sources/open-source.ts';
import type { ExtractOptions } from './options.ts';

/** The WAT files of a crawl of Common Crawl's that the options choose, in the order of its list. */
export async function commonCrawlFiles({ crawl, crawlBaseUrl, files, sample, seed }: ExtractOptions, s3 = new S3Objects({}, true)): Promise<SourceFile[]> {
  const base = crawlBaseUrl.endsWith('/') ? crawlBaseUrl : `${crawlBaseUrl}/`;
  const list = `${base}crawl-data/${crawl}/wat.paths.gz`;
  const parts: Uint8Array[] = [];
  for await (const part of openSource(list, AbortSignal.timeout(120_000), s3)) parts.push(Buffer.from(part));
  const paths = gunzipSync(Buffer.concat(parts))
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const chosen = files === '' ? [...paths.keys()] : inRanges(files, paths.length, list);
  if (sample > chosen.length) throw new UsageError(`--sample ${sample} is more than the ${chosen.length} files there are in ${list}. Give a smaller one.`);
  return (sample > 0 ? drawn(chosen, sample, seed) : chosen).map((index) => ({ path: base + paths[index]!, digest: paths[index]! }));
}

/** Indices in `0-99,200`, ascending, each once. */
function inRanges(text: string, count: number, list: string): number[] {
  const indices = new Set<number>();
  for (const range of text.split(',')) {
    const [, first, last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(range) ?? [];
    if (first === undefined || Number(last) < Number(first))
      throw new UsageError(`--files ${text}: ${JSON.stringify(range)} is no range. Give ranges such as 0-99,200.`);
    if (Number(last) >= count) throw new UsageError(`--files ${text}: ${list} has ${count} files, from 0 to ${count - 1}.`);
    for (let index = Number(first); index <= Number(last); index++) indices.add(index);
  }
  return [...indices].sort((a, b) => a - b);
}

/** `sample` of the indices, without replacement: those with the smallest hashes under the seed, in ascending order. */
function drawn(indices: number[], sample: number, seed: number): number[] {
  const order = indices.map((index) => ({ index, drawn: hash('sha256', `${seed} ${index}`) }));
  order.sort((a, b) => (a.drawn < b.drawn ? -1 : 1));
  return order
    .slice(0, sample)
    .map(({ index }) => index)
    .sort((a, b) => a - b);
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { UsageError } from '../../contracts/errors.ts';
import { isUrl } from '../../storage/location.ts';
import { assertFits, readBloomHeader } from './bloom-file.ts';
import { sizeOfPartition } from './bloom-memory.ts';
import type { DedupOptions } from './options.ts';

/** For each session (its options object is one and the same), so that gigabytes are hashed once and not at each plan. */
const known = new WeakMap<DedupOptions, Promise<string[][]>>();

/** sha256 of the files that --bloom names by the partition whose keys they hold, sorted: their content counts. Throws UsageError where one can't be used. */
export function bloomInputs(options: DedupOptions): Promise<string[][]> {
  let digests = known.get(options);
  if (!digests) {
    digests = digestsByPartition(options);
    known.set(options, digests);
    digests.catch(() => known.delete(options));
  }
  return digests;
}

async function digestsByPartition(options: DedupOptions): Promise<string[][]> {
  const digests: string[][] = Array.from({ length: options.partitions }, () => []);
  for (const path of options.bloom) {
    if (isUrl(path)) throw new UsageError(`The bloom filter ${path} is not on this machine. Copy it to a file, and name that with --bloom.`);
    const header = await readBloomHeader(path);
    if (!header) throw new UsageError(`The bloom filter ${path} does not exist. Give a file that dedup has written (links/_bloom/*.bloom).`);
    assertFits(path, header, { ...sizeOfPartition(options), key: options.dedupKey, partitions: options.partitions }, options);
    const digest = createHash('sha256');
    await pipeline(createReadStream(path, { highWaterMark: 1_048_576 }), digest);
    digests[header.partition]?.push(digest.digest('hex'));
  }
  return digests.map((each) => [...new Set(each)].sort());
}

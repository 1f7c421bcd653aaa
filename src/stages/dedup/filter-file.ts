import { mkdir, open, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { systemCode, UsageError } from '../../contracts/errors.ts';
import { BloomFilter } from './bloom-filter.ts';
import { filterBytes } from './filter-size.ts';
import type { DedupOptions } from './options.ts';

/**
 * A bloom filter in a file: a line of JSON, padded with spaces to HEADER_BYTES with its line end, then the 32-bit
 * words of the blocks, little-endian.
 */
const FilterHeader = z.object({
  format: z.literal('pairmill-bloom-1'),
  blocks: z.int(),
  hashes: z.int(),
  key: z.enum(['url', 'url+language', 'url+text']),
  partition: z.int(),
  partitions: z.int(),
  /** Keys added, by this run and those whose filters it started from. */
  items: z.int(),
  /** Last shard whose links are in. */
  after: z.string(),
});
export type FilterHeader = z.output<typeof FilterHeader>;

const HEADER_BYTES = 1024;
/** Words are written and read in pieces of this many bytes. */
const PIECE_BYTES = 16 * 1_048_576;

export async function writeFilter(path: string, header: Omit<FilterHeader, 'format' | 'blocks' | 'hashes'>, filter: BloomFilter): Promise<void> {
  const temporary = `${path}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  const file = await open(temporary, 'w');
  try {
    const line = JSON.stringify({ format: 'pairmill-bloom-1', ...filter.size, ...header } satisfies FilterHeader);
    await file.write(Buffer.from(`${line.padEnd(HEADER_BYTES - 1)}\n`));
    const bytes = new Uint8Array(filter.words.buffer, filter.words.byteOffset, filter.words.byteLength);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) await file.write(bytes.subarray(at, at + PIECE_BYTES));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** The header of a filter file; undefined where there is no file. Throws UsageError where it is no filter of ours. */
export async function readFilterHeader(path: string): Promise<FilterHeader | undefined> {
  return withFile(path, (file) => header(path, file));
}

/** Reads a whole filter; undefined where there is no file. */
export async function readFilter(path: string): Promise<{ header: FilterHeader; filter: BloomFilter } | undefined> {
  return withFile(path, async (file) => {
    const head = await header(path, file);
    const words = new Uint32Array(filterBytes(head) / 4);
    const bytes = new Uint8Array(words.buffer);
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await file.read(bytes, at, Math.min(PIECE_BYTES, bytes.length - at), HEADER_BYTES + at);
      if (bytesRead === 0)
        throw new UsageError(
          `The filter ${path} is cut off: ${HEADER_BYTES + at} bytes, ${HEADER_BYTES + bytes.length} expected. Give a whole one, or leave it out of --filter.`,
        );
      at += bytesRead;
    }
    return { header: head, filter: new BloomFilter({ blocks: head.blocks, hashes: head.hashes }, words) };
  });
}

async function header(path: string, file: FileHandle): Promise<FilterHeader> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
  try {
    return FilterHeader.parse(JSON.parse(buffer.toString('utf8', 0, bytesRead)));
  } catch {
    throw new UsageError(`${path} is not a bloom filter that this version reads. Give a file that dedup has written (links/_filter/*.bloom).`);
  }
}

async function withFile<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}

/** Throws UsageError where a filter can't be merged into one of the options. */
export function assertFits(
  path: string,
  found: FilterHeader,
  wanted: Pick<FilterHeader, 'blocks' | 'hashes' | 'key' | 'partitions'>,
  options: DedupOptions,
): void {
  const differences: string[] = [];
  if (found.key !== wanted.key) differences.push(`its key is ${found.key}, --dedup-key is ${options.dedupKey}`);
  if (found.partitions !== wanted.partitions) differences.push(`it is one of ${found.partitions} partitions, --partitions is ${options.partitions}`);
  if (found.blocks !== wanted.blocks || found.hashes !== wanted.hashes) {
    differences.push(
      `it has ${found.blocks} blocks and ${found.hashes} hashes, --expected-items ${options.expectedItems} and --false-positive-rate ${options.falsePositiveRate} ask for ${wanted.blocks} and ${wanted.hashes}`,
    );
  }
  if (differences.length > 0) throw new UsageError(`The filter ${path} can't be used: ${differences.join('; ')}. Give the options that it was made with.`);
}

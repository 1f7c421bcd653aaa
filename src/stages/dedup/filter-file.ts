import { mkdir, open, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { systemCode, UsageError } from '../../contracts/errors.ts';
import type { BloomFilter } from './bloom-filter.ts';
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
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    return parseHeader(path, buffer.toString('utf8', 0, bytesRead));
  } finally {
    await file.close();
  }
}

/** Takes the keys of a filter file into a filter of its size, piece by piece: however many are merged, one is in memory. */
export async function mergeFilter(path: string, filter: BloomFilter): Promise<void> {
  const words = new Uint32Array(PIECE_BYTES / 4);
  const file = await open(path, 'r');
  try {
    for (let at = 0; at < filter.words.length;) {
      const wanted = Math.min(words.length, filter.words.length - at);
      const bytes = await readWhole(file, new Uint8Array(words.buffer, 0, 4 * wanted), HEADER_BYTES + 4 * at);
      if (bytes < 4 * wanted)
        throw new UsageError(
          `The filter ${path} is cut off: ${HEADER_BYTES + 4 * at + bytes} bytes, ${HEADER_BYTES + filter.words.byteLength} expected. Give a whole one, or leave it out of --filter.`,
        );
      filter.merge(words.subarray(0, wanted), at);
      at += wanted;
    }
  } finally {
    await file.close();
  }
  filter.recount();
}

/** Fills `bytes` from a place in the file; fewer only where the file ends. */
async function readWhole(file: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

function parseHeader(path: string, text: string): FilterHeader {
  try {
    return FilterHeader.parse(JSON.parse(text));
  } catch {
    throw new UsageError(`${path} is not a bloom filter that this version reads. Give a file that dedup has written (links/_filter/*.bloom).`);
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

import { open } from 'node:fs/promises';
import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import { openIfThere } from '../../formats/open-if-there.ts';
import { readInto } from '../../formats/read-into.ts';
import type { BloomFilter } from './bloom-filter.ts';
import { BLOCK_BYTES } from './bloom-size.ts';
import type { DedupOptions } from './options.ts';

/**
 * A bloom filter in a file: a line of JSON, padded with spaces to HEADER_BYTES with its line end, then the 32-bit
 * words of the blocks, little-endian.
 */
const BloomHeader = z.object({
  /** Version 1 has no `chain`. */
  format: z.enum(['pairmill-bloom-1', 'pairmill-bloom-2']),
  blocks: z.int(),
  hashes: z.int(),
  key: z.enum(['url', 'url+language', 'url+text']),
  partition: z.int(),
  partitions: z.int(),
  /** Keys added, by this run and those whose filters it started from. */
  items: z.int(),
  /** Last shard whose links are in. */
  after: z.string(),
  /** Says of which keys it was made, one by one; the shard's marker has the same. */
  chain: z.string().optional(),
});
export type BloomHeader = z.output<typeof BloomHeader>;

const HEADER_BYTES = 1024;
/** Words are written and read in pieces of this many bytes. */
const PIECE_BYTES = 16 * 1_048_576;

/** Writes a file that nobody reads yet. */
export async function writeBloom(
  path: string,
  header: Omit<BloomHeader, 'format' | 'blocks' | 'hashes'> & { chain: string },
  filter: BloomFilter,
): Promise<void> {
  const file = await open(path, 'w');
  try {
    const line = JSON.stringify({ format: 'pairmill-bloom-2', ...filter.size, ...header } satisfies BloomHeader);
    // appendFile goes on after a short write, which a nearly full disk gives.
    await file.appendFile(Buffer.from(`${line.padEnd(HEADER_BYTES - 1)}\n`));
    const bytes = new Uint8Array(filter.words.buffer, filter.words.byteOffset, filter.words.byteLength);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) await file.appendFile(bytes.subarray(at, at + PIECE_BYTES));
  } finally {
    await file.close();
  }
}

/** The header of a bloom filter's file; undefined where there is no file. Throws UsageError where it is none of ours, or cut off. */
export async function readBloomHeader(path: string): Promise<BloomHeader | undefined> {
  const file = await openIfThere(path);
  if (!file) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    const header = parseHeader(path, buffer.toString('utf8', 0, bytesRead));
    const [{ size }, whole] = [await file.stat(), HEADER_BYTES + header.blocks * BLOCK_BYTES];
    if (size === whole) return header;
    throw new UsageError(`The bloom filter ${path} is cut off: ${size} bytes, ${whole} expected. Give a whole one, or leave it out of --bloom.`);
  } finally {
    await file.close();
  }
}

/** Takes the keys of a file into a bloom filter of its size, piece by piece: however many are merged, one is in memory. */
export async function mergeBloom(path: string, filter: BloomFilter): Promise<void> {
  const words = new Uint32Array(PIECE_BYTES / 4);
  const file = await open(path, 'r');
  try {
    for (let at = 0; at < filter.words.length;) {
      const wanted = Math.min(words.length, filter.words.length - at);
      const bytes = await readInto(file, new Uint8Array(words.buffer, 0, 4 * wanted), HEADER_BYTES + 4 * at);
      if (bytes < 4 * wanted) throw new UsageError(`The bloom filter ${path} ends after ${HEADER_BYTES + 4 * at + bytes} bytes. Give a whole one.`);
      filter.merge(words.subarray(0, wanted), at);
      at += wanted;
    }
  } finally {
    await file.close();
  }
  filter.recount();
}

function parseHeader(path: string, text: string): BloomHeader {
  try {
    return BloomHeader.parse(JSON.parse(text));
  } catch {
    throw new UsageError(`${path} is not a bloom filter that this version reads. Give a file that dedup has written (links/_bloom/*.bloom).`);
  }
}

/** Throws UsageError where a bloom filter can't be merged into one of the options. */
export function assertFits(
  path: string,
  found: BloomHeader,
  wanted: Pick<BloomHeader, 'blocks' | 'hashes' | 'key' | 'partitions'>,
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
  if (differences.length > 0)
    throw new UsageError(`The bloom filter ${path} can't be used: ${differences.join('; ')}. Give the options that it was made with.`);
}

import { UsageError } from '../../contracts/errors.ts';

/**
 * Size of a blocked bloom filter (Putze, Sanders, Singler 2007): all bits of a key lie in one block of 512, so a look
 * costs one cache miss instead of one a bit. It takes some more bits than a plain one for the same rate.
 */
export interface BloomSize {
  blocks: number;
  /** Bits that a key sets in its block. */
  hashes: number;
}

export const BLOCK_BITS = 512;
export const BLOCK_BYTES = BLOCK_BITS / 8;

/** Most bits a key may set: more would cost time and gain nothing. */
const MAX_HASHES = 24;
/** A block number is 32 bits of the key's hash. */
const MAX_BLOCKS = 2 ** 32;

/**
 * Probability that a new key is taken for known when `items` keys are in: the keys of a block are Poisson distributed,
 * and a block with i keys has a bit set with probability 1 - (1 - 1/512)^(i·hashes).
 */
export function expectedRate({ blocks, hashes }: BloomSize, items: number): number {
  const mean = items / blocks;
  let probability = Math.exp(-mean);
  let rate = 0;
  const most = Math.ceil(mean + 12 * Math.sqrt(mean) + 30);
  for (let keys = 0; keys <= most; keys++) {
    if (keys > 0) probability *= mean / keys;
    rate += probability * (1 - (1 - 1 / BLOCK_BITS) ** (keys * hashes)) ** hashes;
  }
  return rate;
}

/** The smallest filter that keeps to `rate` with `items` keys in it. */
export function bloomSize(items: number, rate: number): BloomSize {
  let best: BloomSize | undefined;
  for (let hashes = 2; hashes <= MAX_HASHES; hashes++) {
    let low = 1;
    let high = Math.max(1, Math.ceil(items));
    // Even a block a key is not enough for some numbers of hashes.
    if (expectedRate({ blocks: high, hashes }, items) > rate) continue;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (expectedRate({ blocks: middle, hashes }, items) <= rate) high = middle;
      else low = middle + 1;
    }
    if (!best || low < best.blocks) best = { blocks: low, hashes };
  }
  if (!best) throw new UsageError(`--false-positive-rate ${rate} is too small for a bloom filter of ours. Give one of 1e-9 or more.`);
  return best;
}

export function bloomBytes({ blocks }: BloomSize): number {
  return blocks * BLOCK_BYTES;
}

/** How many filters that fit into `memory` bytes take the place of one of `items` keys. */
export function partitionsFor(items: number, rate: number, memory: number): number {
  // The size is all but linear in the items: begin just below.
  let partitions = Math.max(1, Math.floor(bloomBytes(bloomSize(items, rate)) / Math.min(memory, MAX_BLOCKS * BLOCK_BYTES)) - 1);
  while (!fits(bloomSize(Math.ceil(items / partitions), rate), memory)) partitions++;
  return partitions;
}

export function fits(size: BloomSize, memory: number): boolean {
  return bloomBytes(size) <= memory && size.blocks <= MAX_BLOCKS;
}

import { BLOCK_BITS, type BloomSize } from './bloom-size.ts';

/** 32-bit words of a block. */
const WORDS = BLOCK_BITS / 32;

/**
 * A blocked bloom filter over 128-bit hashes. Adding is exact in the one direction: a key that was added is always
 * known. `fill` and `rate` are those of the bits that are set, kept up to date key by key.
 */
export class BloomFilter {
  readonly size: BloomSize;
  readonly words: Uint32Array;
  /** How many blocks have how many bits set: index = bits. */
  readonly #blocksByBits = new Float64Array(BLOCK_BITS + 1);

  constructor(size: BloomSize, words: Uint32Array = new Uint32Array(size.blocks * WORDS)) {
    this.size = size;
    this.words = words;
    this.recount();
  }

  /** Adds a key given as four random 32-bit words; false where all its bits were set already. */
  add(key: ArrayLike<number>): boolean {
    const { words } = this;
    const { blocks, hashes } = this.size;
    // The high half of key[0] * blocks: an even choice of a block without a division. Exact: below 2^53 for 2^21 blocks, and
    // the double's rounding above that moves a key to the neighbouring block, the same one each time.
    const first = WORDS * Math.floor((key[0]! / 4294967296) * blocks);
    let state = key[1]!;
    const step = key[2]! | 1;
    let added = 0;
    let before = 0;
    for (let i = 0; i < hashes; i += 3) {
      // Three 9-bit positions out of each round of a 32-bit mixer over a Weyl sequence.
      state = (state + step) | 0;
      let mixed = state ^ (state >>> 16) ^ key[3]!;
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
      mixed ^= mixed >>> 13;
      const most = Math.min(3, hashes - i);
      for (let position = 0; position < most; position++, mixed >>>= 9) {
        const at = first + ((mixed >>> 5) & 15);
        const bit = 1 << (mixed & 31);
        if (words[at]! & bit) continue;
        if (added++ === 0) before = bitsOf(words, first);
        words[at]! |= bit;
      }
    }
    if (added === 0) return false;
    this.#blocksByBits[before]!--;
    this.#blocksByBits[before + added]!++;
    return true;
  }

  /** Takes in words of a filter of the same size, from word `at` on. `recount` is to be called after the last. */
  merge(words: Uint32Array, at = 0): void {
    for (let i = 0; i < words.length; i++) this.words[at + i]! |= words[i]!;
  }

  /** To be called after `words` was changed from outside or by `merge`. */
  recount(): void {
    this.#blocksByBits.fill(0);
    for (let first = 0; first < this.words.length; first += WORDS) this.#blocksByBits[bitsOf(this.words, first)]!++;
  }

  /** Share of the bits that are set. */
  get fill(): number {
    let bits = 0;
    for (let n = 1; n <= BLOCK_BITS; n++) bits += n * this.#blocksByBits[n]!;
    return bits / (BLOCK_BITS * this.size.blocks);
  }

  /** Probability that a new key is taken for known, from the bits as they are. */
  get rate(): number {
    let sum = 0;
    for (let n = 1; n <= BLOCK_BITS; n++) sum += this.#blocksByBits[n]! * (n / BLOCK_BITS) ** this.size.hashes;
    return sum / this.size.blocks;
  }
}

/** Bits set in the block that begins at word `first`. */
function bitsOf(words: Uint32Array, first: number): number {
  let bits = 0;
  for (let i = first; i < first + WORDS; i++) {
    let word = words[i]!;
    word -= (word >>> 1) & 0x55555555;
    word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
    bits += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return bits;
}

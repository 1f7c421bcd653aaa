/**
 * MurmurHash3 x64 128, seed 0 (Austin Appleby, public domain), in 32-bit halves: JavaScript has no fast 64-bit
 * integer, and BigInt would cost more than reading the record that is hashed. Halves are local variables throughout: a
 * function that returned both would cost twice as much as what it computes.
 */

// c1 and c2 of the reference.
const C1_HIGH = 0x87c37b91 | 0;
const C1_LOW = 0x114253d5;
const C2_HIGH = 0x4cf5ad43;
const C2_LOW = 0x2745937f;

/** The high half of a * b modulo 2^64; the low one is Math.imul(aLow, bLow). */
function highOfProduct(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  // Neither sum passes 2^32: (2^16 - 1)^2 + 2^16 - 1 < 2^32.
  const middle = (Math.imul(a1, b0) >>> 0) + (Math.imul(a0, b0) >>> 16);
  const other = (Math.imul(a0, b1) >>> 0) + (middle & 0xffff);
  return (Math.imul(a1, b1) + (middle >>> 16) + (other >>> 16) + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
}

/** 1 where a sum of two low halves went past 32 bits: it is then less than either. */
function carry(sum: number, part: number): number {
  return sum >>> 0 < part >>> 0 ? 1 : 0;
}

// What the functions below have made. They are not part of the long one, of which V8 inlines only so much.
const mixed: [number, number, number, number] = [0, 0, 0, 0];
let finalHigh = 0;
let finalLow = 0;

/** The last block as it goes into h1 and h2, into `mixed`. */
function mixLast(words: Int32Array, at: number): void {
  let low = Math.imul(words[at]!, C1_LOW);
  let high = highOfProduct(words[at + 1]!, words[at]!, C1_HIGH, C1_LOW);
  let kHigh = (high << 31) | (low >>> 1);
  let kLow = (low << 31) | (high >>> 1);
  mixed[0] = highOfProduct(kHigh, kLow, C2_HIGH, C2_LOW);
  mixed[1] = Math.imul(kLow, C2_LOW);
  low = Math.imul(words[at + 2]!, C2_LOW);
  high = highOfProduct(words[at + 3]!, words[at + 2]!, C2_HIGH, C2_LOW);
  kHigh = (low << 1) | (high >>> 31);
  kLow = (high << 1) | (low >>> 31);
  mixed[2] = highOfProduct(kHigh, kLow, C1_HIGH, C1_LOW);
  mixed[3] = Math.imul(kLow, C1_LOW);
}

/** fmix64 of the reference, into `finalHigh` and `finalLow`. */
function finalise(high: number, low: number): void {
  low ^= high >>> 1;
  high = highOfProduct(high, low, 0xff51afd7 | 0, 0xed558ccd | 0);
  low = Math.imul(low, 0xed558ccd | 0);
  low ^= high >>> 1;
  high = highOfProduct(high, low, 0xc4ceb9fe | 0, 0x1a85ec53);
  finalLow = Math.imul(low, 0x1a85ec53) ^ (high >>> 1);
  finalHigh = high;
}

/**
 * Hashes `bytes` from 0 to `end` and puts the 128 bits into `out`: four 32-bit words, low word first, so that out[0]
 * and out[1] are the low and the high word of the first 64 bits. `words` is a view of the same bytes; up to 15 of those
 * behind `end` are overwritten.
 */
export function murmurHash128(bytes: Uint8Array, words: Int32Array, end: number, out: Uint32Array): void {
  let h1High = 0;
  let h1Low = 0;
  let h2High = 0;
  let h2Low = 0;
  const wholeWords = (end >> 4) * 4;
  for (let at = 0; at < wholeWords; at += 4) {
    // k1 * c1, rotated left by 31, * c2.
    let low = Math.imul(words[at]!, C1_LOW);
    let high = highOfProduct(words[at + 1]!, words[at]!, C1_HIGH, C1_LOW);
    let kHigh = (high << 31) | (low >>> 1);
    let kLow = (low << 31) | (high >>> 1);
    h1High ^= highOfProduct(kHigh, kLow, C2_HIGH, C2_LOW);
    h1Low ^= Math.imul(kLow, C2_LOW);
    // h1 rotated left by 27, + h2, * 5, + a constant.
    low = (h1Low << 27) | (h1High >>> 5);
    high = (h1High << 27) | (h1Low >>> 5);
    h1Low = (low + h2Low) | 0;
    h1High = (high + h2High + carry(h1Low, low)) | 0;
    low = h1Low << 2;
    high = (h1High << 2) | (h1Low >>> 30);
    h1Low = (h1Low + low) | 0;
    h1High = (h1High + high + carry(h1Low, low)) | 0;
    h1Low = (h1Low + 0x52dce729) | 0;
    h1High = (h1High + carry(h1Low, 0x52dce729)) | 0;

    // k2 * c2, rotated left by 33, * c1.
    low = Math.imul(words[at + 2]!, C2_LOW);
    high = highOfProduct(words[at + 3]!, words[at + 2]!, C2_HIGH, C2_LOW);
    kHigh = (low << 1) | (high >>> 31);
    kLow = (high << 1) | (low >>> 31);
    h2High ^= highOfProduct(kHigh, kLow, C1_HIGH, C1_LOW);
    h2Low ^= Math.imul(kLow, C1_LOW);
    // h2 rotated left by 31, + h1, * 5, + a constant.
    low = (h2Low << 31) | (h2High >>> 1);
    high = (h2High << 31) | (h2Low >>> 1);
    h2Low = (low + h1Low) | 0;
    h2High = (high + h1High + carry(h2Low, low)) | 0;
    low = h2Low << 2;
    high = (h2High << 2) | (h2Low >>> 30);
    h2Low = (h2Low + low) | 0;
    h2High = (h2High + high + carry(h2Low, low)) | 0;
    h2Low = (h2Low + 0x38495ab5) | 0;
    h2High = (h2High + carry(h2Low, 0x38495ab5)) | 0;
  }
  if (end & 15) {
    // What is left, filled with zeros: mixed in like a block, without what follows there. Zeros mix to zero.
    for (let at = end; at & 15; at++) bytes[at] = 0;
    mixLast(words, wholeWords);
    h1High ^= mixed[0];
    h1Low ^= mixed[1];
    h2High ^= mixed[2];
    h2Low ^= mixed[3];
  }
  h2Low ^= end;
  h1Low = ((h1Low ^ end) + h2Low) | 0;
  h1High = (h1High + h2High + carry(h1Low, h2Low)) | 0;
  h2Low = (h2Low + h1Low) | 0;
  h2High = (h2High + h1High + carry(h2Low, h1Low)) | 0;
  finalise(h1High, h1Low);
  [h1High, h1Low] = [finalHigh, finalLow];
  finalise(h2High, h2Low);
  [h2High, h2Low] = [finalHigh, finalLow];
  h1Low = (h1Low + h2Low) | 0;
  h1High = (h1High + h2High + carry(h1Low, h2Low)) | 0;
  h2Low = (h2Low + h1Low) | 0;
  h2High = (h2High + h1High + carry(h2Low, h1Low)) | 0;
  out[0] = h1Low;
  out[1] = h1High;
  out[2] = h2Low;
  out[3] = h2High;
}

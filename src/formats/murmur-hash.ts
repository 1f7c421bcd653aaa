/**
 * MurmurHash3 x64 128, seed 0 (Austin Appleby, public domain), in 32-bit halves: JavaScript has no fast 64-bit
 * integer, and BigInt would cost more than reading the record that is hashed.
 */

/** Halves of the value that `multiply` or `finalise` has made last. */
let high = 0;
let low = 0;

/** (high, low) = (aHigh, aLow) * (bHigh, bLow) modulo 2^64. */
function multiply(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  // Neither sum passes 2^32: (2^16 - 1)^2 + 2^16 - 1 < 2^32.
  const middle = (Math.imul(a1, b0) >>> 0) + (Math.imul(a0, b0) >>> 16);
  const other = (Math.imul(a0, b1) >>> 0) + (middle & 0xffff);
  high = (Math.imul(a1, b1) + (middle >>> 16) + (other >>> 16) + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
  low = Math.imul(aLow, bLow);
}

/** Mixes (high, low): `fmix64` of the reference. */
function finalise(): void {
  low ^= high >>> 1;
  multiply(high, low, 0xff51afd7, 0xed558ccd);
  low ^= high >>> 1;
  multiply(high, low, 0xc4ceb9fe, 0x1a85ec53);
  low ^= high >>> 1;
}

/** (high, low) = k * c1, rotated left by 31, * c2. */
function mixFirst(kHigh: number, kLow: number): void {
  multiply(kHigh, kLow, 0x87c37b91, 0x114253d5);
  multiply((high << 31) | (low >>> 1), (low << 31) | (high >>> 1), 0x4cf5ad43, 0x2745937f);
}

/** (high, low) = k * c2, rotated left by 33, * c1. */
function mixSecond(kHigh: number, kLow: number): void {
  multiply(kHigh, kLow, 0x4cf5ad43, 0x2745937f);
  multiply((low << 1) | (high >>> 31), (high << 1) | (low >>> 31), 0x87c37b91, 0x114253d5);
}

function carry(sum: number): number {
  return sum > 0xffffffff ? 1 : 0;
}

/** Four bytes, little-endian. */
function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Like `word`, bytes from `end` on counting as zero. */
function lastWord(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let i = Math.min(end, at + 4) - 1; i >= at; i--) value = (value << 8) | bytes[i]!;
  return value;
}

/**
 * Hashes `bytes` from 0 to `end` and puts the 128 bits into `out`: four 32-bit words, low word first, so that out[0]
 * and out[1] are the low and the high word of the first 64 bits.
 */
export function murmurHash128(bytes: Uint8Array, end: number, out: Uint32Array): void {
  let h1High = 0;
  let h1Low = 0;
  let h2High = 0;
  let h2Low = 0;
  const blocks = end & ~15;
  for (let at = 0; at < blocks; at += 16) {
    mixFirst(word(bytes, at + 4), word(bytes, at));
    h1High ^= high;
    h1Low ^= low;
    // Rotate left by 27, add h2, times 5, add a constant.
    let rotated = (h1High << 27) | (h1Low >>> 5);
    let sum = (((h1Low << 27) | (h1High >>> 5)) >>> 0) + (h2Low >>> 0);
    h1High = (rotated + h2High + carry(sum)) | 0;
    sum = (sum >>> 0) * 5 + 0x52dce729;
    h1High = (Math.imul(h1High, 5) + Math.floor(sum / 4294967296)) | 0;
    h1Low = sum | 0;

    mixSecond(word(bytes, at + 12), word(bytes, at + 8));
    h2High ^= high;
    h2Low ^= low;
    rotated = (h2High << 31) | (h2Low >>> 1);
    sum = (((h2Low << 31) | (h2High >>> 1)) >>> 0) + (h1Low >>> 0);
    h2High = (rotated + h1High + carry(sum)) | 0;
    sum = (sum >>> 0) * 5 + 0x38495ab5;
    h2High = (Math.imul(h2High, 5) + Math.floor(sum / 4294967296)) | 0;
    h2Low = sum | 0;
  }
  if (end > blocks + 8) {
    mixSecond(lastWord(bytes, blocks + 12, end), lastWord(bytes, blocks + 8, end));
    h2High ^= high;
    h2Low ^= low;
  }
  if (end > blocks) {
    mixFirst(lastWord(bytes, blocks + 4, end), lastWord(bytes, blocks, end));
    h1High ^= high;
    h1Low ^= low;
  }
  h1Low ^= end;
  h2Low ^= end;
  let sum = (h1Low >>> 0) + (h2Low >>> 0);
  h1High = (h1High + h2High + carry(sum)) | 0;
  h1Low = sum | 0;
  sum = (h2Low >>> 0) + (h1Low >>> 0);
  h2High = (h2High + h1High + carry(sum)) | 0;
  h2Low = sum | 0;
  high = h1High;
  low = h1Low;
  finalise();
  h1High = high;
  h1Low = low;
  high = h2High;
  low = h2Low;
  finalise();
  sum = (h1Low >>> 0) + (low >>> 0);
  out[0] = sum;
  out[1] = h1High + high + carry(sum);
  sum = (sum >>> 0) + (low >>> 0);
  out[2] = sum;
  out[3] = high + out[1] + carry(sum);
}

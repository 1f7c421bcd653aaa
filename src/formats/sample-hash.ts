import { createHash } from 'node:crypto';
import { murmurHash128 } from './murmur-hash.ts';

let bytes = Buffer.allocUnsafeSlow(16_384);
/** The same bytes. */
let view = new Int32Array(bytes.buffer);
const words = new Uint32Array(4);
/** The first 64 bits of `words` as one signed integer (the machines that we support are little-endian). */
const signed = new BigInt64Array(words.buffer, 0, 1);

/** Writes the utf-8 bytes of the parts, one after another, into `bytes`; returns how many. */
function encode(first: string, second: string): number {
  const most = 3 * (first.length + second.length);
  // The hash may fill up its last block of 16.
  if (most + 16 > bytes.length) {
    bytes = Buffer.allocUnsafeSlow(Math.ceil((2 * most) / 16) * 16);
    view = new Int32Array(bytes.buffer);
  }
  // Apart, as they are written: a lone surrogate at the end of one and at the start of the other are no character.
  const end = bytes.write(first, 0, 'utf8');
  return end + bytes.write(second, end, 'utf8');
}

/**
 * The identity of a sample, LAION's join key: `mmh3.hash64((url + text).encode("utf-8"))[0]`, the signed first half of
 * MurmurHash3 x64 128 with seed 0 over the utf-8 bytes of URL and text as they are written to files. Null counts as
 * empty. A lone surrogate is hashed as U+FFFD, since that is what every utf-8 file holds in its place; Python's
 * encoder refuses it, so LAION has no such row.
 */
export function sampleHash(url: string | null, text: string | null): bigint {
  const end = encode(url ?? '', text ?? '');
  murmurHash128(bytes, view, end, words);
  return signed[0]!;
}

/**
 * The whole 128 bits of the same hash of one string, as four 32-bit words, low word first. The array is used again by
 * the next call.
 */
export function hashWords(key: string): Uint32Array {
  const end = encode(key, '');
  murmurHash128(bytes, view, end, words);
  return words;
}

/** cc2dataset's identity of a link: md5 of text and URL in hex. */
export function sampleUid(url: string, text: string): string {
  return createHash('md5').update(text).update(url).digest('hex');
}

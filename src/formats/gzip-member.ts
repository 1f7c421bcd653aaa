import { constants, crc32, gunzipSync, inflateRawSync } from 'node:zlib';

/**
 * Gzip members (RFC 1952) in a buffer. Crawl files hold one member per record, so a reader can find the next record
 * after a damaged one, and a record's place in the file is its member's.
 */

/** Header and trailer without optional fields: 10 + 8 bytes. */
const SMALLEST_MEMBER = 18;

const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;

/** Whether deflated gzip begins at `at`: magic, method 8, no reserved flag. */
export function isMember(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x1f && bytes[at + 1] === 0x8b && bytes[at + 2] === 8 && bytes[at + 3]! < 32;
}

const magic = Buffer.from([0x1f, 0x8b, 8]);

/**
 * Where the next member seems to begin, from `from` on, or -1. Stricter than `isMember`, since compressed bytes may look like a
 * header: also the extra flags and the operating system must be known ones, so one place in 2^37 is wrong. A place
 * whose ten bytes are not all there yet is left out.
 */
export function nextMemberStart(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(magic, from); at >= 0 && at + 10 <= bytes.length; at = bytes.indexOf(magic, at + 3)) {
    const [flags, extra, system] = [bytes[at + 3]!, bytes[at + 8]!, bytes[at + 9]!];
    if (flags < 32 && (extra === 0 || extra === 2 || extra === 4) && (system < 14 || system === 255)) return at;
  }
  return -1;
}

/** All places from `from` on where members seem to begin. */
export function memberStarts(bytes: Buffer, from: number): number[] {
  const starts: number[] = [];
  for (let at = nextMemberStart(bytes, from); at >= 0; at = nextMemberStart(bytes, at + 3)) starts.push(at);
  return starts;
}

/** Size of the content that a member's trailer declares, the member ending at `end`. Modulo 2^32. */
export function declaredSize(bytes: Buffer, end: number): number {
  return end >= 4 ? bytes.readUInt32LE(end - 4) : 0;
}

/** Length of the header at `at`, or undefined where its end is not in `bytes`. */
export function headerLength(bytes: Buffer, at: number): number | undefined {
  const flags = bytes[at + 3]!;
  let end = at + 10;
  if (flags & FEXTRA) {
    if (end + 2 > bytes.length) return undefined;
    end += 2 + bytes.readUInt16LE(end);
  }
  for (const field of [FNAME, FCOMMENT]) {
    if (!(flags & field)) continue;
    const zero = bytes.indexOf(0, end);
    if (zero < 0) return undefined;
    end = zero + 1;
  }
  if (flags & FHCRC) end += 2;
  return end <= bytes.length ? end - at : undefined;
}

/**
 * Inflates whole members that lie one after another, checks their checksums (zlib does) and that they come to
 * `size` bytes together and use up all of `bytes` (zlib lets other bytes follow). Undefined where anything is wrong: the
 * caller then goes member by member.
 */
export function inflateMembers(bytes: Buffer, size: number): Buffer | undefined {
  // One byte more than declared, so that a longer content shows. Below zlib's smallest chunk it would throw.
  const room = Math.max(size + 1, constants.Z_MIN_CHUNK);
  try {
    const { buffer, engine } = gunzipSync(bytes, { info: true, chunkSize: room, maxOutputLength: room }) as unknown as WithInfo;
    return buffer.length === size && engine.bytesWritten === bytes.length ? buffer : undefined;
  } catch {
    return undefined;
  }
}

/** What zlib gives with `info`, which @types/node does not know: https://nodejs.org/api/zlib.html#class-options. Bytes written: of the input. */
interface WithInfo {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

/** What became of one member: its content and length in the file, or why not. */
export type Inflated = { content: Buffer; length: number } | { failed: 'damaged' | 'incomplete' | 'too-large' };

/** Inflates the one member at the start of `bytes`, of which more than the member may be there. */
export function inflateMember(bytes: Buffer, mostContent: number): Inflated {
  const start = headerLength(bytes, 0);
  if (start === undefined || bytes.length < SMALLEST_MEMBER) return { failed: 'incomplete' };
  try {
    const { buffer, engine } = inflateRawSync(bytes.subarray(start), { info: true, chunkSize: 65_536, maxOutputLength: mostContent }) as unknown as WithInfo;
    const trailer = start + engine.bytesWritten;
    if (trailer + 8 > bytes.length) return { failed: 'incomplete' };
    const intact = bytes.readUInt32LE(trailer) === crc32(buffer) && bytes.readUInt32LE(trailer + 4) === buffer.length % 2 ** 32;
    return intact ? { content: buffer, length: trailer + 8 } : { failed: 'damaged' };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ERR_BUFFER_TOO_LARGE') return { failed: 'too-large' };
    return { failed: code === 'Z_BUF_ERROR' ? 'incomplete' : 'damaged' };
  }
}

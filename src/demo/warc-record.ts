// WARC records as Common Crawl writes them: one gzip member each, with its place in the file.

import { createHash } from 'node:crypto';
import { crc32, gzipSync } from 'node:zlib';

export interface WrittenRecord {
  type: string;
  /** Of the gzip member, in the file. */
  offset: number;
  length: number;
  crc: number;
  inflatedLength: number;
  /** Of the WARC header, its blank line included. */
  headerLength: number;
  headers: Record<string, string>;
  block: Buffer;
}

const base32Letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** SHA-1 in base 32, the digest that archives use. */
export function digest(bytes: Buffer): string {
  let out = '';
  let bits = 0;
  let value = 0;
  for (const byte of createHash('sha1').update(bytes).digest()) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) out += base32Letters[(value >>> (bits - 5)) & 31];
    value &= 0xff;
  }
  return `sha1:${out}`;
}

/** The same id for the same names, so that a crawl made again is the same crawl. */
export function recordId(...names: (string | number)[]): string {
  const hex = createHash('sha1').update(names.join('\u0000')).digest('hex');
  return `<urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}>`;
}

export interface RecordFile {
  add(headers: Record<string, string>, block: Buffer): WrittenRecord;
  bytes(): Buffer;
}

/** Collects the records of one file; a file of the example crawl is a few megabytes. */
export function recordFile(): RecordFile {
  const members: Buffer[] = [];
  let offset = 0;
  return {
    add(headers, block) {
      const all: Record<string, string> = { ...headers, 'Content-Length': String(block.length), 'WARC-Block-Digest': digest(block) };
      const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
      const head = Buffer.from(`WARC/1.0\r\n${lines.join('')}\r\n`);
      const whole = Buffer.concat([head, block, Buffer.from('\r\n\r\n')]);
      const member = gzipSync(whole);
      const record: WrittenRecord = {
        type: headers['WARC-Type'] ?? '',
        offset,
        length: member.length,
        crc: crc32(whole) | 0,
        inflatedLength: whole.length,
        headerLength: head.length,
        headers: all,
        block,
      };
      members.push(member);
      offset += member.length;
      return record;
    },
    bytes: () => Buffer.concat(members),
  };
}

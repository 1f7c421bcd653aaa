import { crc32, deflateRawSync, gzipSync } from 'node:zlib';

/** One WARC record as bytes; `length` overrides the declared Content-Length. */
export function record(content: string | Buffer, fields: Record<string, string> = {}, length?: number | string): Buffer {
  const block = Buffer.from(content);
  const header = {
    'WARC-Type': 'metadata',
    'WARC-Target-URI': 'http://page.test/dir/index.html',
    'Content-Type': 'application/json',
    ...fields,
    'Content-Length': String(length ?? block.length),
  };
  const lines = Object.entries(header).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`WARC/1.0\r\n${lines.join('')}\r\n`), block, Buffer.from('\r\n\r\n')]);
}

export interface WatParts {
  links?: Record<string, unknown>[];
  head?: Record<string, unknown>;
  /** The head after the links, as some extractors have it. */
  headLast?: boolean;
  /** Of the answer, and whether they follow the page. */
  headers?: Record<string, unknown>;
  headersLast?: boolean;
}

/** The JSON of a page's WAT record. */
export function watJson({
  links = [],
  head = { Metas: [{ name: 'viewport', content: 'width=device-width' }], Title: 'a title' },
  headLast = false,
  headers = { Server: 'x' },
  headersLast = false,
}: WatParts): string {
  const html = headLast ? { Links: links, Head: head } : { Head: head, Links: links };
  return JSON.stringify({
    Container: { Filename: 'x.warc.gz' },
    Envelope: {
      'Payload-Metadata': { 'HTTP-Response-Metadata': headersLast ? { 'HTML-Metadata': html, Headers: headers } : { Headers: headers, 'HTML-Metadata': html } },
      'WARC-Header-Metadata': { 'WARC-Target-URI': 'http://page.test/dir/index.html' },
    },
  });
}

export function image(url: string, alt?: string): Record<string, string> {
  return { path: 'IMG@/src', url, ...(alt === undefined ? {} : { alt }) };
}

/** One gzip member per record, as Common Crawl writes them. */
export function gzipped(records: readonly Buffer[]): Buffer {
  return Buffer.concat(records.map((bytes) => gzipSync(bytes)));
}

/** A gzip member with every optional field of RFC 1952. */
export function memberWithAllFields(content: Buffer): Buffer {
  const extra = Buffer.from('AB\x04\x00abcd', 'latin1');
  const size = Buffer.alloc(2);
  size.writeUInt16LE(extra.length);
  const head = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 1, 2, 3, 4, 0, 3]), size, extra, Buffer.from('name\0comment\0')]);
  const check = Buffer.alloc(2);
  check.writeUInt16LE(crc32(head) & 0xffff);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(content), 0);
  trailer.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, check, deflateRawSync(content), trailer]);
}

/** The bytes as a stream of pieces of `size`. */
export async function* pieces(bytes: Buffer, size = 65_536): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

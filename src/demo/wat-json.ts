// What a WAT file says about one WARC record, in the shape of Common Crawl's extractor (ia-web-commons).

import { digest } from './warc-record.ts';
import type { WrittenRecord } from './warc-record.ts';
import type { PageMetadata } from './page-html.ts';

function headerLines(text: string): string[] {
  return text.split('\r\n').filter((line) => line.includes(': '));
}

function fields(text: string): Record<string, string> {
  return Object.fromEntries(headerLines(text).map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]));
}

/** Headers and body of an HTTP message. */
function httpParts(block: Buffer): { first: string; headers: Record<string, string>; headersLength: number; entity: Buffer } {
  const end = block.indexOf('\r\n\r\n') + 4;
  const [first = '', ...rest] = block.subarray(0, end).toString('utf8').split('\r\n');
  return { first, headers: fields(rest.join('\r\n')), headersLength: end, entity: block.subarray(end) };
}

function httpMetadata(record: WrittenRecord, message: Record<string, unknown>, html?: PageMetadata): Record<string, unknown> {
  const { headers, headersLength, entity } = httpParts(record.block);
  return {
    ...message,
    'Headers-Length': String(headersLength),
    Headers: headers,
    ...(html === undefined ? {} : { 'HTML-Metadata': html }),
    'Entity-Length': String(entity.length),
    'Entity-Digest': digest(entity),
    'Entity-Trailing-Slop-Length': '0',
  };
}

function payload(record: WrittenRecord, html: PageMetadata | undefined): Record<string, unknown> {
  const { first } = httpParts(record.block);
  const [one, two, ...rest] = first.split(' ');
  switch (record.type) {
    case 'request':
      return { 'HTTP-Request-Metadata': httpMetadata(record, { 'Request-Message': { Method: one, Path: two, Version: rest.join(' ') } }) };
    case 'response':
      return { 'HTTP-Response-Metadata': httpMetadata(record, { 'Response-Message': { Version: one, Status: two, Reason: rest.join(' ') } }, html) };
    case 'warcinfo':
      return { 'WARC-Info-Metadata': fields(record.block.toString('utf8')) };
    default: {
      const pairs = Object.entries(fields(record.block.toString('utf8'))).map(([Name, Value]) => ({ Name, Value }));
      return { 'WARC-Metadata-Metadata': { 'Metadata-Records': pairs } };
    }
  }
}

const contentTypes: Record<string, string> = { metadata: 'application/metadata-fields' };

export function watJson(warcName: string, record: WrittenRecord, html?: PageMetadata): string {
  return JSON.stringify({
    Container: {
      Filename: warcName,
      Compressed: true,
      Offset: String(record.offset),
      'Gzip-Metadata': {
        'Deflate-Length': String(record.length),
        'Header-Length': '10',
        'Footer-Length': '8',
        'Inflated-CRC': String(record.crc),
        'Inflated-Length': String(record.inflatedLength),
      },
    },
    Envelope: {
      'Payload-Metadata': {
        'Actual-Content-Type': contentTypes[record.type] ?? record.headers['Content-Type'],
        ...payload(record, html),
        'Actual-Content-Length': String(record.block.length),
        'Trailing-Slop-Length': '4',
        'Block-Digest': digest(record.block),
      },
      Format: 'WARC/1.0',
      'WARC-Header-Length': String(record.headerLength),
      'WARC-Header-Metadata': record.headers,
    },
  });
}

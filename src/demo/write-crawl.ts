// One crawl file: the WARC of its pages, and the WAT that describes it record by record.

import { composePage } from './page-html.ts';
import type { PageMetadata } from './page-html.ts';
import type { PlannedPage } from './plan-pages.ts';
import { htmlLang } from './languages.ts';
import { randomFrom } from './random.ts';
import { recordFile, recordId } from './warc-record.ts';
import type { RecordFile, WrittenRecord } from './warc-record.ts';
import { watJson } from './wat-json.ts';

export interface CrawlFile {
  warc: Buffer;
  wat: Buffer;
  pages: { url: string; offset: number; length: number; urls: string[] }[];
}

/** The crawl took place in one night; nothing in it depends on the clock. */
const crawlStart = Date.UTC(2025, 2, 14, 20, 0, 0);
const extracted = '2025-03-20T06:30:00Z';
const userAgent = 'examplebot/1.0 (example crawl of pairmill)';

function warcDate(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

function fieldBlock(fields: Record<string, string>): Buffer {
  return Buffer.from(
    `${Object.entries(fields)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')}\r\n`,
  );
}

interface PageRecords {
  request: WrittenRecord;
  response: WrittenRecord;
  metadata: WrittenRecord;
}

interface PageVisit {
  url: string;
  locale: string;
  headers: Record<string, string>;
  html: string;
  date: string;
  seed: number;
  infoId: string;
}

function addPage(warc: RecordFile, { url, locale, headers, html, date, seed, infoId }: PageVisit): PageRecords {
  const { host, pathname, search } = new URL(url);
  const ids = ['request', 'response', 'metadata'].map((type) => recordId(seed, type, url));
  const [requestId = '', responseId = '', metadataId = ''] = ids;
  const shared = { 'WARC-Date': date, 'WARC-Warcinfo-ID': infoId, 'WARC-Target-URI': url };

  const request = `GET ${pathname}${search} HTTP/1.1\r\nUser-Agent: ${userAgent}\r\nAccept: text/html,*/*;q=0.8\r\nHost: ${host}\r\nConnection: Keep-Alive\r\n\r\n`;
  const body = Buffer.from(html);
  const head = [
    'HTTP/1.1 200 OK',
    `Date: ${new Date(date).toUTCString()}`,
    'Server: emoji-web',
    'Content-Type: text/html; charset=utf-8',
    `Content-Language: ${htmlLang(locale)}`,
    `Content-Length: ${body.length}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return {
    request: warc.add(
      { 'WARC-Type': 'request', 'WARC-Record-ID': requestId, 'Content-Type': 'application/http; msgtype=request', 'WARC-IP-Address': '127.0.0.1', ...shared },
      Buffer.from(request),
    ),
    response: warc.add(
      {
        'WARC-Type': 'response',
        'WARC-Record-ID': responseId,
        'Content-Type': 'application/http; msgtype=response',
        'WARC-Concurrent-To': requestId,
        'WARC-IP-Address': '127.0.0.1',
        'WARC-Identified-Payload-Type': 'text/html',
        ...shared,
      },
      Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]),
    ),
    metadata: warc.add(
      { 'WARC-Type': 'metadata', 'WARC-Record-ID': metadataId, 'Content-Type': 'application/warc-fields', 'WARC-Concurrent-To': responseId, ...shared },
      fieldBlock({ fetchTimeMs: String(randomFrom(seed, 'fetch', url).integer(20, 900)), 'charset-detected': 'UTF-8' }),
    ),
  };
}

export function makeCrawlFile(name: string, index: number, pages: readonly PlannedPage[], seed: number): CrawlFile {
  const warcName = `${name}.warc.gz`;
  const warc = recordFile();
  const wat = recordFile();
  const infoId = recordId(seed, 'warcinfo', index);

  function describe(record: WrittenRecord, uri: string, metadata?: PageMetadata): void {
    const recordIdOf = record.headers['WARC-Record-ID'] ?? '';
    wat.add(
      {
        'WARC-Type': 'metadata',
        'WARC-Target-URI': uri,
        'WARC-Date': extracted,
        'WARC-Record-ID': recordId(seed, 'wat', recordIdOf),
        'WARC-Refers-To': recordIdOf,
        'Content-Type': 'application/json',
      },
      Buffer.from(watJson(warcName, record, metadata)),
    );
  }

  const info = warc.add(
    {
      'WARC-Type': 'warcinfo',
      'WARC-Date': warcDate(crawlStart),
      'WARC-Record-ID': infoId,
      'Content-Type': 'application/warc-fields',
      'WARC-Filename': warcName,
    },
    fieldBlock({ isPartOf: 'EMOJI-WEB-2025-11', publisher: 'pairmill', description: 'A made-up web of emoji pictures', format: 'WARC File Format 1.0' }),
  );
  wat.add(
    {
      'WARC-Type': 'warcinfo',
      'WARC-Date': extracted,
      'WARC-Filename': `${name}.warc.wat.gz`,
      'WARC-Record-ID': recordId(seed, 'wat warcinfo', index),
      'Content-Type': 'application/warc-fields',
    },
    fieldBlock({ 'Software-Info': 'pairmill emoji-web', 'Extracted-Date': new Date(extracted).toUTCString(), format: 'WARC File Format 1.0' }),
  );
  describe(info, warcName);

  const written = pages.map((page, at) => {
    const { html, metadata, urls } = composePage(page, seed);
    const date = warcDate(crawlStart + 1000 * (at * 7 + index));
    const records = addPage(warc, { url: page.url, locale: page.locale, headers: page.headers, html, date, seed, infoId });
    describe(records.request, page.url);
    describe(records.response, page.url, metadata);
    describe(records.metadata, page.url);
    return { url: page.url, offset: records.response.offset, length: records.response.length, urls };
  });
  return { warc: warc.bytes(), wat: wat.bytes(), pages: written };
}

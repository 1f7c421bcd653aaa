import { DamageCount } from '../../src/formats/warc-record.ts';
import { readPages } from '../../src/stages/extract/read-pages.ts';
import { pieces, record } from './crawl-bytes.ts';

/** Records of 31 MB (the largest that are read by default have 32) that are made to take memory or time. */
const SIZE = 31 * 1_048_576;
const fill = (unit: string, size = SIZE): Buffer => Buffer.alloc(Math.floor(size / unit.length) * unit.length, unit, 'latin1');
const http = (fields: string, body: Buffer): Buffer =>
  record(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${fields}`), body]), { 'WARC-Type': 'response', 'Content-Type': 'application/http' });
const html = (body: Buffer): Buffer => http('Content-Type: text/html\r\n\r\n', body);
const wat = (head: Buffer, links: Buffer): Buffer =>
  record(
    Buffer.concat([
      Buffer.from('{"Envelope":{"Payload-Metadata":{"HTTP-Response-Metadata":{"HTML-Metadata":{"Head":{"Base":"/"'),
      head,
      Buffer.from('},"Links":['),
      links,
      Buffer.from('{}]}}}}}'),
    ]),
  );
const none = Buffer.alloc(0);
/** Two million lines, made in parts, so that the making takes no memory to speak of. */
const numbered = (line: (i: number) => string): Buffer =>
  Buffer.concat(Array.from({ length: 2000 }, (_, part) => Buffer.from(Array.from({ length: 1000 }, (__, i) => line(part * 1000 + i)).join(''))));

const records: Record<string, () => Buffer> = {
  empty: () => html(fill('\n')),
  'a million links in a WAT': () => wat(none, fill('{"path":"IMG@/src","url":"a"},')),
  'three million links in HTML': () => html(fill('<img src=a>')),
  'two million attributes': () => html(Buffer.concat([Buffer.from('<img src=a '), numbered((i) => `a${i} `), Buffer.from('>')])),
  'two million header fields': () =>
    http(
      '',
      numbered((i) => `a${i}:\n`),
    ),
  'ten million chunks': () => http('Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n', fill('1\nx')),
  'open elements': () => html(fill('<b>')),
  'deep JSON in the head': () =>
    wat(Buffer.concat([Buffer.from(',"x":'), fill('[', SIZE / 2), fill(']', SIZE / 2)]), Buffer.from('{"path":"IMG@/src","url":"a"},')),
  'deep JSON that is parsed': () => wat(none, fill('[', 7 * 1_048_576)),
  'half a million texts that look like a licence': () =>
    wat(none, Buffer.concat([Buffer.from('{"path":"IMG@/src","url":"a","alt":"'), fill('creativecommons.org/', SIZE / 3), Buffer.from('"},')])),
};

/** Prints what was read and the most memory (MB) that it took, beside the record itself. Of its own process: memory never shrinks. */
const bytes = records[process.argv[2]!]!();
const before = process.resourceUsage().maxRSS;
const counts = { records: 0, damage: new DamageCount() };
let links = 0;
const settings = { kind: process.argv[3] === 'any' ? ('any' as const) : ('image' as const), maxRecordBytes: 32 * 1_048_576, imageAttributes: ['src'] };
for await (const pages of readPages(pieces(bytes), settings, counts)) for (const page of pages) links += page.links.length;
process.stdout.write(JSON.stringify({ links, damage: counts.damage.counts, megabytes: Math.round((process.resourceUsage().maxRSS - before) / 1024) }));

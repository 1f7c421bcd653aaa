import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inflateAll, makeTinyWeb, parseWarc, type ParsedRecord, type TinyWeb } from './tiny-web.ts';

let web: TinyWeb;
/** By file name without its ending. */
let warcs: Map<string, ParsedRecord[]>;
let wats: Map<string, ParsedRecord[]>;

beforeAll(async () => {
  web = await makeTinyWeb();
  const name = (path: string): string => path.slice(5).replace('.warc.gz', '').replace('.warc.wat.gz', '').replace(/^\//, '');
  warcs = new Map(web.manifest.warc.map((path) => [name(path), parseWarc(join(web.folder, path))]));
  wats = new Map(web.manifest.wat.map((path) => [name(path.replace('wat/', 'warc/')), parseWarc(join(web.folder, path))]));
});
afterAll(() => web.remove());

interface WatLink {
  path: string;
  url: string;
  alt?: string;
}

interface WatHead {
  Title: string;
  Base?: string;
  Metas: { name: string; content: string }[];
}

/** The WAT's pages, in order: URL, head and links. */
function watPages(records: ParsedRecord[]): { url: string; headers: Record<string, string>; head: WatHead; links: WatLink[] }[] {
  return records.slice(1).flatMap(({ block, headers }) => {
    const response = JSON.parse(block.toString('utf8')).Envelope['Payload-Metadata']['HTTP-Response-Metadata'];
    const html = response?.['HTML-Metadata'];
    return html === undefined ? [] : [{ url: headers.get('WARC-Target-URI') ?? '', headers: response.Headers, head: html.Head, links: html.Links }];
  });
}

describe('the WARC files', () => {
  test('hold warcinfo and then request, response and metadata of each page', () => {
    for (const records of warcs.values()) {
      const types = records.map(({ headers }) => headers.get('WARC-Type'));
      expect(types[0]).toBe('warcinfo');
      expect(types.length % 3).toBe(1);
      for (let at = 1; at < types.length; at += 3) expect(types.slice(at, at + 3)).toEqual(['request', 'response', 'metadata']);
    }
    const pages = [...warcs.values()].reduce((sum, records) => sum + (records.length - 1) / 3, 0);
    expect(pages).toBe(web.manifest.pages);
  });

  test('are one gzip member a record, ids are unique, digests are right, dates stand still', () => {
    const ids = new Set<string>();
    let records = 0;
    for (const [name, list] of warcs) {
      expect(Buffer.concat(list.map(({ inflated }) => inflated)).equals(inflateAll(join(web.folder, 'warc', `${name}.warc.gz`)))).toBe(true);
      for (const { headers, block } of list) {
        records += 1;
        ids.add(headers.get('WARC-Record-ID') ?? '');
        expect(headers.get('WARC-Record-ID')).toMatch(/^<urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}>$/);
        expect(headers.get('WARC-Date')).toMatch(/^2025-03-1[45]T\d\d:\d\d:\d\dZ$/);
        expect(headers.get('WARC-Block-Digest')).toBe(`sha1:${base32(createHash('sha1').update(block).digest())}`);
      }
    }
    expect(ids.size).toBe(records);
  });
});

describe('the WAT files', () => {
  test('describe every record of their WARC: place, length, checksum, digest', () => {
    for (const [name, warc] of warcs) {
      const wat = wats.get(name) ?? [];
      expect(wat[0]?.headers.get('WARC-Type')).toBe('warcinfo');
      expect(wat.length).toBe(warc.length + 1);
      warc.forEach((record, at) => {
        const { headers, block } = wat[at + 1]!;
        const { Container, Envelope } = JSON.parse(block.toString('utf8'));
        expect(headers.get('WARC-Type')).toBe('metadata');
        expect(headers.get('Content-Type')).toBe('application/json');
        expect(headers.get('WARC-Refers-To')).toBe(record.headers.get('WARC-Record-ID'));
        expect(headers.get('WARC-Target-URI')).toBe(record.headers.get('WARC-Target-URI') ?? record.headers.get('WARC-Filename'));
        expect(Container).toMatchObject({ Filename: `${name}.warc.gz`, Compressed: true, Offset: String(record.offset) });
        expect(Container['Gzip-Metadata']).toMatchObject({ 'Deflate-Length': String(record.length), 'Inflated-Length': String(record.inflated.length) });
        expect(Envelope.Format).toBe('WARC/1.0');
        expect(Envelope['WARC-Header-Metadata']).toEqual(Object.fromEntries(record.headers));
        expect(Envelope['Payload-Metadata']['Block-Digest']).toBe(record.headers.get('WARC-Block-Digest'));
        expect(Number(Envelope['WARC-Header-Length']) + record.block.length + 4).toBe(record.inflated.length);
      });
    }
  });

  test('hold exactly the links of the manifest, in its order, resolved as it says', () => {
    const found = [...wats].flatMap(([name, records]) =>
      watPages(records).flatMap(({ url: page, head, links }) =>
        links
          .filter(({ path }) => path === 'IMG@/src')
          .map(({ url, alt }) => ({
            url: new URL(url, new URL(head.Base ?? '', page)).href,
            text: alt ?? '',
            page_url: page,
            crawl_file: `${name}.warc.wat.gz`,
          })),
      ),
    );
    expect(found).toEqual(web.links.map(({ url, text, page_url, crawl_file }) => ({ url, text, page_url, crawl_file })));
  });

  test('say what the pages say: every src and alt of the HTML, entities decoded', () => {
    for (const [name, warc] of warcs) {
      const pages = watPages(wats.get(name) ?? []);
      const bodies = warc.filter(({ headers }) => headers.get('WARC-Type') === 'response').map(({ block }) => block.toString('utf8'));
      bodies.forEach((body, at) => {
        const images = Array.from(body.matchAll(/<img src="([^"]*)"(?: alt="([^"]*)")?/g), ([, src = '', alt]) => ({
          url: decode(src).replace(/^(data:[^,]*,).*/, '$1'),
          ...(alt === undefined ? {} : { alt: decode(alt) }),
        }));
        const listed = (pages[at]?.links ?? []).filter(({ path }) => path === 'IMG@/src');
        expect(listed.map(({ url, alt }) => ({ url, ...(alt === undefined ? {} : { alt }) }))).toEqual(images);
        expect(decode(/<title>(.*)<\/title>/.exec(body)?.[1] ?? '')).toBe(pages[at]?.head.Title);
        expect(/<base href="([^"]*)">/.exec(body)?.[1]).toBe(pages[at]?.head.Base);
      });
    }
  });

  test('have all ways to write a URL, bases, licences, and what refuses on the right pages only', () => {
    const pages = [...wats.values()].flatMap(watPages);
    const sources = pages.flatMap(({ links }) => links.filter(({ path }) => path === 'IMG@/src').map(({ url }) => url));
    for (const way of [/^http:\/\//, /^\/\/[a-z]/, /^\/[^/]/, /^\.\.\//, /^[a-z]+\/[^/:]+/])
      expect(
        sources.some((url) => way.test(url)),
        String(way),
      ).toBe(true);
    expect(pages.filter(({ head }) => head.Base !== undefined).length).toBeGreaterThan(2);
    expect(pages.filter(({ links }) => links.some(({ url }) => url.includes('creativecommons.org/'))).length).toBeGreaterThan(2);

    const metaOf = ({ head }: (typeof pages)[number], name: RegExp): string[] =>
      head.Metas.filter((meta) => name.test(meta.name)).map(({ content }) => content);
    const headerOf = ({ headers }: (typeof pages)[number], name: RegExp): string[] =>
      Object.keys(headers).flatMap((key) => (name.test(key) ? headers[key]! : []));
    const refuses = (page: (typeof pages)[number]): boolean =>
      [...metaOf(page, /^(robots|pairmill)$/i), ...headerOf(page, /^x-robots-tag$/i).filter((value) => !/^otherbot:[^:]*$/.test(value))].some((value) =>
        /\b(noai|noimageai|noindex|noimageindex)\b/i.test(value),
      );
    const reserves = (page: (typeof pages)[number]): boolean => [...metaOf(page, /^tdm-reservation$/), ...headerOf(page, /^tdm-reservation$/i)].includes('1');
    for (const [says, refused] of [
      [refuses, 'meta-robots'],
      [reserves, 'page-tdm-reservation'],
    ] as const) {
      const found = new Set(pages.filter(says).map(({ url }) => url));
      expect(found.size).toBeGreaterThan(0);
      for (const { kind, page_url: page } of web.links) expect(found.has(page), `${refused} ${page}`).toBe(kind === refused);
    }
  });
});

function decode(html: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' };
  return html.replaceAll(/&(?:#(\d+)|(\w+));/g, (_, code?: string, name?: string) =>
    code === undefined ? (named[name ?? ''] ?? '?') : String.fromCodePoint(Number(code)),
  );
}

function base32(bytes: Buffer): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? []).map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five, 2)]).join('');
}

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Candidate } from '../../../src/contracts/records.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { InlineExecutor } from '../../../src/runtime/inline-executor.ts';
import { extract } from '../../../src/stages/extract/extract.ts';
import { requireSharedData } from '../../local-paths.ts';
import { gzipped, image, record, type WatParts, watJson } from '../../formats/crawl-bytes.ts';
import { allRows, digests, rejectsOf, runOneStage } from '../run-one-stage.ts';

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-extract-'));
  await mkdir(join(base, 'crawl'));
});
afterEach(() => rm(base, { recursive: true }));

const pages = (...parts: WatParts[]): Buffer => gzipped(parts.map((part) => record(watJson(part))));

async function run(files: Record<string, Buffer>, options: Record<string, unknown> = {}, workers = 1) {
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(base, 'crawl', name), bytes);
  const outcome = await runOneStage(extract, base, options, { input: join(base, 'crawl', '*'), workers });
  return { ...outcome, rows: await allRows<Candidate>(join(base, 'candidates')) };
}

describe('extract', () => {
  it('writes a candidate with all its columns', async () => {
    const links = [
      image('../a.png', ' The  red\tapple is lying\u00a0on the table in the kitchen '),
      { path: 'A@/href', url: 'https://creativecommons.org/licenses/by/4.0/' },
    ];
    const { rows } = await run({ 'x.warc.wat.gz': Buffer.concat([gzipSync(record('{}')), pages({ links })]) });
    const [url, text] = ['http://page.test/a.png', 'The red apple is lying on the table in the kitchen'];
    expect(rows).toEqual([
      {
        url,
        text,
        language: 'en',
        language_confidence: expect.closeTo(0.9, 0),
        licence: 'https://creativecommons.org/licenses/by/4.0/',
        hash: sampleHash(url, text),
        uid: expect.stringMatching(/^[0-9a-f]{32}$/),
        page_url: 'http://page.test/dir/index.html',
        crawl_file: 'x.warc.wat.gz',
        record_offset: BigInt(gzipSync(record('{}')).length),
        words: 11,
        characters: 50,
        alphanumeric_share: expect.closeTo(40 / 50, 6),
        special_share: 0,
        repetition_share: expect.closeTo(2 / 11, 6),
      },
    ]);
  });

  it('drops under the reason of the first rule that fails', async () => {
    const long = `http://host.test/${'x'.repeat(2000)}`;
    const links = [
      image('a.png'),
      image('a.png', ''),
      image('a.png', 'abcd'),
      image('a.png', ' 12\u0000\t3 '),
      image('http://[/', 'good text'),
      image('data:image/png;base64,AAAA', 'good text'),
      image(' JavaScript:void(0)', 'good text'),
      image('ftp://host.test/a.png', 'good text'),
      image(long, 'good text'),
      image(`http://${'h'.repeat(60)}.test/`, 'good text'),
      image('a.SVG?x=1', 'good text'),
      image('b.gif#x', 'good text'),
      image('c.gift', 'good text'),
      image('c.gift', 'another text'),
      image('/dir/c.gift', 'good text'),
    ];
    const { summary, rows } = await run({
      'a.wat.gz': pages({ links }, { links: [image('x.png', 'good text')], head: { Metas: [{ name: 'robots', content: 'noindex' }] } }),
    });
    expect(rows.map(({ url }) => url)).toEqual(['http://page.test/dir/c.gift']);
    expect(summary).toMatchObject({ in: 16, out: 1 });
    const rejects = await rejectsOf(base, 'extract');
    const of = (reason: string) =>
      rejects.filter((reject) => reject.reason === reason).map(({ url, value, threshold }) => [url.slice(0, 30), value, threshold]);
    expect(of('no-text')).toHaveLength(2);
    expect(of('text-too-short')).toEqual([
      ['http://page.test/dir/a.png', '4', '5'],
      ['http://page.test/dir/a.png', '4', '5'],
    ]);
    expect(of('url-invalid')).toEqual([['http://[/', null, null]]);
    expect(of('url-scheme').map(([, value]) => value)).toEqual(['data:', 'javascript:', 'ftp:']);
    expect(of('url-too-long')).toEqual([[long.slice(0, 30), '2017', '2000']]);
    expect(of('host-too-long').map(([, ...rest]) => rest)).toEqual([['65', '60']]);
    expect(of('url-format').map(([, value]) => value)).toEqual(['svg', 'gif']);
    expect(of('duplicate-url')).toHaveLength(2);
    expect(of('page-opt-out')).toEqual([['http://page.test/dir/x.png', 'noindex', null]]);
  });

  it('drops the links of pages that reserve text and data mining, in a header or a meta tag', async () => {
    const links = [image('a.png', 'good text')];
    const files = {
      'a.wat.gz': pages({ links, headers: { 'tdm-reservation': '1' } }, { links, head: { Metas: [{ name: 'tdm-reservation', content: '1' }] } }),
      'b.wat.gz': pages({ links, headers: { 'TDM-Reservation': '0', 'X-Robots-Tag': 'otherbot: noai' } }),
      'c.wat.gz': pages({ links, headers: { 'X-Robots-Tag': 'noimageai' } }),
    };
    const { summary } = await run(files);
    expect(summary).toMatchObject({ in: 4, out: 1, dropped: { 'page-tdm-reservation': 2, 'page-opt-out': 1 } });
    const rejects = await rejectsOf(base, 'extract');
    expect(rejects.map(({ reason, value }) => [reason, value]).sort()).toEqual([
      ['page-opt-out', 'X-Robots-Tag: noimageai'],
      ['page-tdm-reservation', 'tdm-reservation: 1'],
      ['page-tdm-reservation', 'tdm-reservation: 1'],
    ]);
  });

  it('respects no refusal, cuts no text and keeps all formats when told so', async () => {
    const head = {
      Metas: [
        { name: 'robots', content: 'noai' },
        { name: 'tdm-reservation', content: '1' },
      ],
    };
    const { rows, shards } = await run(
      { 'a.wat.gz': pages({ head, links: [image('a.svg', 'abc'), image('b.png', 'x'.repeat(50))] }) },
      { respectPageRobots: false, tdmReservation: false, excludedExtensions: [], minTextLength: 3, maxTextLength: 20 },
    );
    expect(rows.map(({ text }) => text)).toEqual(['abc', 'x'.repeat(20)]);
    expect(shards[0]).toMatchObject({ cut: { text: 1, licence: 0, page_url: 0 } });
  });

  it('bounds what a page says of all its links: a longer licence is left out, a longer page URL cut, and both are counted', async () => {
    const licence = { path: 'A@/href', url: `https://creativecommons.org/licenses/${'x'.repeat(1_100_000)}` };
    const links = [image('http://host.test/a.png', 'good text'), image('http://host.test/b.png', 'another text'), licence];
    const short = { path: 'A@/href', url: `https://creativecommons.org/licenses/${'y'.repeat(2000 - 37)}` };
    const { rows, shards } = await run({
      'a.wat.gz': Buffer.concat([
        pages({ links }, { links: [image('http://host.test/c.png', 'third text'), short] }),
        gzipSync(record(watJson({ links: [image('/d.png', 'fourth text')] }), { 'WARC-Target-URI': `http://page.test/${'z'.repeat(3000)}` })),
      ]),
    });
    expect(rows.map((row) => [row.licence?.length ?? null, row.page_url.length])).toEqual([
      [null, 31],
      [null, 31],
      [2000, 31],
      [null, 2000],
    ]);
    expect(rows[3]!.url).toBe('http://page.test/d.png');
    expect(shards[0]).toMatchObject({ cut: { text: 0, licence: 2, page_url: 1 } });
  });

  it.each([
    ['url', [0, 3]],
    ['url+text', [0, 1, 3]],
    ['url+language', [0, 2, 3]],
  ])('takes the same %s for a duplicate within a file', async (dedupKey, kept) => {
    const links = [
      image('a.png', 'A red apple lies on the table'),
      image('a.png', 'A green apple lies on the table'),
      image('a.png', 'Ein roter Apfel liegt auf dem Tisch'),
      image('b.png', 'A red apple lies on the table'),
    ];
    const wanted = dedupKey === 'url+text' ? [0, 1, 2, 3] : kept;
    const { rows } = await run({ 'a.wat.gz': pages({ links }), 'b.wat.gz': pages({ links: links.slice(3) }) }, { dedupKey });
    expect(rows.map(({ text }) => text)).toEqual([...wanted, 3].map((i) => links[i]!.alt));
  });

  it.each([
    ['image_only', ['http://page.test/dir/a.png', 'http://page.test/dir/b.png'], ['', 'alt']],
    ['audio', ['http://page.test/dir/s.mp3'], ['a song']],
    ['video', ['http://page.test/dir/v.webm'], ['']],
    ['text', ['http://page.test/dir/t.pdf'], ['a paper']],
  ])('finds documents of type %s', async (documentType, urls, texts) => {
    const links = [
      image('a.png'),
      image('b.png', 'alt'),
      { path: 'A@/href', url: 's.mp3', text: 'a song' },
      { path: 'VIDEO@/src', url: 'v.webm' },
      { path: 'A@/href', url: 't.pdf', text: 'a paper' },
      { path: 'A@/href', url: 'noextension', text: 'x' },
    ];
    const { rows, summary } = await run({ 'a.wat.gz': pages({ links }) }, { documentType });
    expect(rows.map(({ url }) => url)).toEqual(urls);
    expect(rows.map(({ text }) => text)).toEqual(texts);
    expect(summary.in).toBe(documentType === 'image_only' ? 2 : 6);
  });

  it('counts damaged records apart, warns, and reads the rest', async () => {
    const good = (i: number) => gzipSync(record(watJson({ links: [image(`${i}.png`, 'good text here')] })));
    const broken = Buffer.from(good(1));
    broken.fill(0xff, 14, 30);
    const { rows, shards } = await run({
      'a.wat.gz': Buffer.concat([good(0), broken, good(2), gzipSync(record('{"path":"IMG@/src"')), gzipSync(record('x', {}, 77)), good(3).subarray(0, 60)]),
    });
    expect(rows.map(({ url }) => url)).toEqual(['http://page.test/dir/0.png', 'http://page.test/dir/2.png']);
    expect(shards[0]).toMatchObject({ records: { read: 3, damaged: { gzip: 1, json: 1, truncated: 2 } } });
    expect(shards[0]!.warnings).toEqual([expect.stringContaining('4 damaged records left out (gzip: 1, json: 1, truncated: 2)')]);
  });

  it('says of a file that it is empty', async () => {
    const { shards, summary } = await run({ 'a.wat.gz': Buffer.alloc(0), 'b.wat.gz': pages({ links: [image('a.png', 'good text')] }) });
    expect(shards.map(({ warnings }) => warnings)).toEqual([['crawl/a.wat.gz is empty: 0 bytes. Get it again if it should hold links.'], undefined]);
    expect(summary.out).toBe(1);
  });

  it('identifies the language as its own options say, whatever detector the worker has used before', async () => {
    const executor = new InlineExecutor([extract]);
    await writeFile(join(base, 'crawl', 'a.wat.gz'), pages({ links: [image('a.png', 'a dog in the snow'), image('b.png', 'Schönbrunn')] }));
    const languages = async (output: string, options: Record<string, unknown>): Promise<(string | number)[][]> => {
      await runOneStage(extract, base, options, { input: join(base, 'crawl'), output: join(base, output), executor });
      return (await allRows<Candidate>(join(base, output))).map((row) => [row.language, row.language_confidence]);
    };
    try {
      const fasttext = await languages('fasttext', {});
      const cld3 = await languages('cld3', { languageDetector: 'cld3' });
      const strict = await languages('strict', { languageThreshold: 1 });
      expect(await languages('none', { languageDetector: 'none' })).toEqual([
        ['', 0],
        ['', 0],
      ]);
      expect(await languages('again', {})).toEqual(fasttext);
      expect([fasttext[0]![0], strict[0]![0]]).toEqual(['en', '']);
      expect(cld3[0]![1]).not.toBe(fasttext[0]![1]);
    } finally {
      await executor.close();
    }
  });

  it('takes the input in the order given, lists included, and fails only the file that is not there', async () => {
    for (const name of ['b.wat.gz', 'a.wat.gz', 'c.warc.wat'])
      await writeFile(
        join(base, 'crawl', name),
        name.endsWith('gz') ? pages({ links: [image(`${name}.png`, 'good text')] }) : record(watJson({ links: [image('plain.png', 'good text')] })),
      );
    await writeFile(join(base, 'wat.paths.gz'), gzipSync(`${join(base, 'crawl', 'b.wat.gz')}\n${join(base, 'crawl', 'a.wat.gz')}\n`));
    const inOrder = async (input: string) => {
      await rm(join(base, 'candidates'), { recursive: true, force: true });
      const { failed } = await runOneStage(extract, base, {}, { input, mayFail: true });
      return [(await allRows<Candidate>(join(base, 'candidates'))).map(({ crawl_file }) => crawl_file), failed.length];
    };
    expect(await inOrder(join(base, 'crawl'))).toEqual([['a.wat.gz', 'b.wat.gz', 'c.warc.wat'], 0]);
    expect(await inOrder(join(base, 'wat.paths.gz'))).toEqual([['b.wat.gz', 'a.wat.gz'], 0]);
    expect(await inOrder(`${join(base, 'crawl', 'c*')},${join(base, 'crawl', 'a*')}`)).toEqual([['c.warc.wat', 'a.wat.gz'], 0]);
    await expect(inOrder(join(base, 'nothing*'))).rejects.toThrow('No crawl file matches');
  });

  it('reads over http, and fails the file that the server refuses', async () => {
    const bytes = pages({ links: [image('a.png', 'good text')] });
    const server = createServer((request, response) => (request.url === '/a.wat.gz' ? response.end(bytes) : response.writeHead(404).end()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const { failed, summary } = await runOneStage(extract, base, {}, { input: `${origin}/a.wat.gz,${origin}/b.wat.gz`, mayFail: true });
      expect(summary.out).toBe(1);
      expect(failed).toEqual([{ shard: '00001', message: expect.stringContaining('404') }]);
    } finally {
      server.close();
    }
  });

  it('writes the same bytes with one worker and with two, and does not do again what is done', async () => {
    const files = Object.fromEntries(
      ['a', 'b', 'c'].map((name) => [
        `${name}.wat.gz`,
        pages({ links: Array.from({ length: 50 }, (_, i) => image(`${name}${i % 40}.png`, `picture number ${i} of ${name}`)) }),
      ]),
    );
    await run(files);
    const once = await digests(join(base, 'candidates'));
    const again = await run({}, {}, 2);
    expect(await digests(join(base, 'candidates'))).toEqual(once);
    expect(again.summary.out).toBe(120);
    await rm(join(base, 'candidates'), { recursive: true });
    await run({}, {}, 2);
    expect(await digests(join(base, 'candidates'))).toEqual(once);
  });
});

it("reads Common Crawl's own WAT file", async (context) => {
  const real = requireSharedData(context, 'warc/whirlwind.warc.wat.gz');
  const { summary, shards } = await runOneStage(extract, base, {}, { input: `${real},${real.slice(0, -3)}` });
  expect(summary).toMatchObject({ in: 0, out: 0 });
  expect(shards.map((shard) => shard['records'])).toEqual([
    { read: 2, damaged: {} },
    { read: 2, damaged: {} },
  ]);
});

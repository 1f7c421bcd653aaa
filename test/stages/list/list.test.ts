import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { sampleHash, sampleUid } from '../../../src/formats/sample-hash.ts';
import { list } from '../../../src/stages/list/list.ts';
import type { listOptions } from '../../../src/stages/list/options.ts';
import { allRows, rejectsOf, runOneStage, type StageRunSettings } from '../run-one-stage.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pairmill-list-'));
  onTestFinished(() => rm(folder, { recursive: true }));
});

const file = async (name: string, content: string | Uint8Array): Promise<string> => {
  await writeFile(join(folder, name), content);
  return join(folder, name);
};
const read = async (input: string, options: z.input<typeof listOptions> = {}, settings: StageRunSettings = {}) => {
  const run = await runOneStage(list, join(folder, 'run'), { languageDetector: 'none', ...options }, { input, ...settings });
  return { ...run, rows: await allRows<Record<string, unknown>>(join(folder, 'run/lists')) };
};

const csv = 'url,caption,zip,stars\nhttp://a.test/1.jpg,"A ""red"" cat, sitting",00123,5\nhttp://a.test/2.jpg,"two\nlines",7,\n';
const links = [
  { url: 'http://a.test/1.jpg', text: 'A "red" cat, sitting', zip: '00123', stars: 5n },
  { url: 'http://a.test/2.jpg', text: 'two\nlines', zip: '7', stars: null },
];
const jsonLines = links.map(({ stars, ...link }) => JSON.stringify({ ...link, stars: stars === null ? null : Number(stars) }));

test.each([
  ['csv', 'links.csv', csv],
  ['csv with a byte order mark and Windows line ends', 'links.csv', `\uFEFF${csv.replaceAll(/\n(?!lines)/g, '\r\n')}`],
  ['csv whose name says nothing', 'links', csv],
  ['csv with semicolons', 'links.csv', csv.replaceAll(/,(?! )/g, ';')],
  ['tsv', 'links.tsv', csv.replaceAll(/,(?! )/g, '\t')],
  ['gzip', 'links.csv.gz', gzipSync(csv)],
  ['zstd', 'links.csv.zst', zstdCompressSync(csv)],
  ['JSON lines', 'links.jsonl', `${jsonLines.join('\n')}\n`],
  ['JSON lines in gzip', 'links.jsonl.gz', gzipSync(jsonLines.join('\n'))],
  ['JSON lines in zstd', 'links.jsonl.zst', zstdCompressSync(jsonLines.join('\n'))],
  ['JSON', 'links.json', `[${jsonLines.join(',\n')}]`],
])('%s', async (_, name, content) => {
  const { rows, summary } = await read(await file(name, content));
  expect(summary).toMatchObject({ in: 2, out: 2, dropped: {} });
  expect(rows).toMatchObject(links.map(({ url, text, zip, stars }) => ({ url, text, zip, stars, hash: sampleHash(url, text), uid: sampleUid(url, text) })));
  expect(rows[0]).toMatchObject({ language: '', licence: null, page_url: '', crawl_file: '', record_offset: null });
});

test('txt: a URL a line, with whatever signs it has', async () => {
  const urls = ['http://a.test/1.jpg', "http://a.test/2,\"3.jpg?x=1;y='2'", 'https://a.test/ä.jpg'];
  expect((await read(await file('urls.txt', urls.join('\n')))).rows).toMatchObject(urls.map((url) => ({ url, text: '', hash: sampleHash(url, '') })));
});

test("LAION's metadata in Parquet: its names are known, and what we write ourselves comes along under another name", async () => {
  const [{ url, text }] = links as [(typeof links)[0]];
  const Laion = z.object({
    SAMPLE_ID: z.int64(),
    URL: z.string(),
    TEXT: z.string(),
    LANGUAGE: z.string(),
    LICENSE: z.string(),
    similarity: z.number(),
    WIDTH: z.int32(),
    extra: z.string(),
  });
  await writeParquet(join(folder, 'laion.parquet'), Laion, [
    { SAMPLE_ID: 7n, URL: url, TEXT: text, LANGUAGE: 'de', LICENSE: '?', similarity: 0.31, WIDTH: 640, extra: 'x' },
  ]);
  const { rows, shards } = await read(join(folder, 'laion.parquet'));
  expect(rows).toMatchObject([{ url, text, language: 'de', licence: '?', input_sample_id: 7n, input_similarity: 0.31, input_width: 640, extra: 'x' }]);
  expect(shards[0]!.warnings).toEqual([expect.stringContaining('similarity is input_similarity, WIDTH is input_width')]);
});

test.each(['url', 'URL', 'image_url', 'Img_Src', 'link'])('a URL column %s is found', async (name) => {
  expect((await read(await file('a.csv', `n,${name},ALT\n1,http://a.test/1.jpg,cat\n`))).rows).toMatchObject([
    { url: 'http://a.test/1.jpg', text: 'cat', n: 1n },
  ]);
});

test('columns under other names are named, and where one is missing those that are there', async () => {
  const path = await file('a.csv', 'where,what,caption\nhttp://a.test/1.jpg,cat,no\n');
  await expect(read(path)).rejects.toThrow(`a.csv has no column url. Its columns are where, what, caption. Name the right one with --url-col.`);
  await expect(read(path, { urlCol: 'where', captionCol: 'words' })).rejects.toThrow('has no column words');
  const { rows } = await read(path, { urlCol: 'where', captionCol: 'what' });
  expect(rows).toMatchObject([{ url: 'http://a.test/1.jpg', text: 'cat', input_caption: 'no' }]);
});

test('a broken row costs itself', async () => {
  const { rows, summary } = await read(
    await file('a.csv', 'url,caption\nhttp://a.test/1.jpg,one\nhttp://a.test/2.jpg,two,three,four\n,none\nhttp://a.test/3.jpg,three\n'),
  );
  expect(rows.map(({ text }) => text)).toEqual(['one', 'three']);
  expect(summary).toMatchObject({ in: 4, out: 2, dropped: { 'no-url': 1, 'broken-row': 1 } });
  expect(await rejectsOf(join(folder, 'run'), 'list')).toMatchObject([
    { reason: 'no-url' },
    { reason: 'broken-row', value: expect.stringContaining('line 3') as string },
  ]);
});

test('a URL that is too long is dropped, a text is cut at a character', async () => {
  const { rows, summary, shards } = await read(
    await file(
      'a.jsonl',
      [
        { url: `http://a.test/${'x'.repeat(100)}`, text: 'a' },
        { url: 'http://a.test/1', text: '123😀5' },
      ]
        .map((row) => JSON.stringify(row))
        .join('\n'),
    ),
    {
      maxUrlLength: 50,
      maxTextLength: 4,
    },
  );
  expect(rows).toMatchObject([{ text: '123😀', hash: sampleHash('http://a.test/1', '123😀') }]);
  expect(summary.dropped).toEqual({ 'url-too-long': 1 });
  expect(shards[0]!.warnings).toEqual([expect.stringContaining('1 text was cut to --max-text-length 4')]);
});

test("language: the list's own, --language for all, or identified", async () => {
  const rows = [
    ['http://a.test/1', 'Der Hund läuft schnell über die grüne Wiese'],
    ['http://a.test/2', 'The dog runs quickly over the green meadow'],
    ['http://a.test/3', ''],
  ];
  const path = await file('a.tsv', ['url\ttext', ...rows.map((row) => row.join('\t'))].join('\n'));
  expect((await read(path, { languageDetector: 'fasttext' })).rows.map(({ language }) => language)).toEqual(['de', 'en', '']);
  await rm(join(folder, 'run'), { recursive: true });
  expect((await read(path, { language: 'pt' })).rows.map(({ language }) => language)).toEqual(['pt', 'pt', 'pt']);
  await rm(join(folder, 'run'), { recursive: true });
  const own = await file('b.csv', 'url,text,lang\nhttp://a.test/1,x,EN\n');
  expect((await read(own, { language: 'pt' })).rows.map(({ language }) => language)).toEqual(['en']);
});

test('several files, a glob, a folder with folders, over HTTP: one shard each, which keeps its number', async () => {
  await mkdir(join(folder, 'lists/more'), { recursive: true });
  for (const name of ['b', 'more/c', 'd']) await file(`lists/${name}.csv`, `url,text\nhttp://a.test/${name},${name}\n`);
  await file('lists/_notes.csv', 'no list');
  const server = createServer((request, response) => void readFile(join(folder, request.url!)).then((bytes) => response.end(bytes)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  expect((await read(join(folder, 'lists'))).rows.map(({ text }) => text)).toEqual(['b', 'd', 'more/c']);
  await file('lists/a.csv', 'url,text\nhttp://a.test/a,a\n');
  const { made, rows } = await read(`${join(folder, 'lists')},http://127.0.0.1:${(server.address() as AddressInfo).port}/lists/a.csv`);
  expect([made.sort(), rows.map(({ text }) => text)]).toEqual([
    ['00003', '00004'],
    ['b', 'd', 'more/c', 'a', 'a'],
  ]);
});

test('what is no list says so and costs only itself', async () => {
  const png = await file('cat.png', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'));
  const { failed, rows } = await read(`${png},${await file('a.csv', csv)},${await file('empty.csv', '')}`, {}, { mayFail: true });
  expect(rows).toHaveLength(2);
  expect(failed.map(({ message }) => message)).toEqual([
    expect.stringContaining('cat.png is no list of links: it is neither Parquet nor a csv, tsv, txt, json or jsonl file.'),
    expect.stringContaining('empty.csv is empty'),
  ]);
});

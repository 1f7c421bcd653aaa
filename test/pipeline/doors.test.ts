import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { NpyWriter } from '../../src/formats/npy-writer.ts';
import { readParquet } from '../../src/formats/parquet.ts';
import { writeParquet } from '../../src/formats/parquet-writer.ts';
import { requirePythonFor } from '../python.ts';
import { root, startPairmill } from './pairmill.ts';

/**
 * Each door from the outside: one command, typed by someone in a folder of their own, to a page that answers. CI runs this file over the
 * packed package too (PAIRMILL_LAUNCHER).
 */

/** Emoji of the model `mini` that ships in the package: it tells these apart. */
const words = ['dog face', 'cat face', 'red apple', 'airplane', 'tulip', 'pizza', 'guitar', 'fish'];

let folder: string;
let yourData: string;
/** The commands of docs/your-data.md that these tests have run. */
const ran = new Set<string>();
let pictures: Buffer[];
let origin: { connectTo: string; close(): void };

beforeAll(async () => {
  yourData = await readFile(join(root, 'docs/your-data.md'), 'utf8');
  pictures = await emojiPictures(words.length);
  // Answers every path with the picture of its number, /robots.txt not at all.
  const server = createServer((request, response) => {
    const number = /(\d+)\.jpg/.exec(request.url!)?.[1];
    if (number === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'image/jpeg' }).end(pictures[Number(number) % pictures.length]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = { connectTo: `::127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
});
afterAll(() => origin.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pairmill-door-'));
  onTestFinished(() => rm(folder, { recursive: true }));
});

test('a csv with columns of its own', async () => {
  const rows = words.map((word, i) => `http://pictures.test/${i}.jpg,${word},shop ${i},00${i},"x, ""y"""`);
  await writeFile(join(folder, 'list.csv'), ['image_url,alt,seller,code,note', ...rows].join('\n'));
  const page = await run('list.csv', 'from the web');
  expect(page.talk).toMatch(/list\.csv is a list of links \(csv; the URL is in image_url, the text in alt; 3 further columns come along\)/);
  const found = await search(page, { text: words[0]!, modality: 'image', num_images: 8, deduplicate: false });
  expect(found.length).toBe(words.length);
  expect(found.find(({ caption }) => caption === words[3])).toMatchObject({ url: 'http://pictures.test/3.jpg', seller: 'shop 3', code: '003', note: 'x, "y"' });
  const verified = await startPairmill(['verify', 'pairmill-run'], {}, folder).finished;
  expect(verified.out).toMatch(/^\d+ files are as written \([\d,]+ bytes\); 0 damaged, missing or stale\.\n$/);
});

test('a folder of photographs', async () => {
  for (const [i, bytes] of pictures.entries()) await put(`my-photos/${i % 2 ? 'summer' : 'winter'}/${words[i]!.replace(' ', '_')}.jpg`, bytes);
  await put('my-photos/winter/dog_face.txt', 'Hasso, our dog');
  const page = await run('my-photos');
  expect(page.talk).toMatch(/my-photos is a folder of 8 pictures, 1 with a text or json beside them\. Stages: import, embed, index\./);
  const found = await search(page, { text: 'dog', modality: 'image', num_images: 8, deduplicate: false });
  expect(found.map(({ caption }) => caption)).toContain('Hasso, our dog');
  expect(found.map(({ url }) => url)).toContain('summer/cat_face.jpg');
  expect((await fetch(new URL(`/images/${String(found[0]!['key'])}`, page.url))).status).toBe(200);
});

test('a folder of photographs whose texts are in a csv', async () => {
  for (const [i, bytes] of pictures.entries()) await put(`my-photos/${i}.jpg`, bytes);
  await put('my-photos/captions.csv', ['file_name,caption,place', ...words.map((word, i) => `${i}.jpg,<b>${word}</b>,Donostia ${i}`)].join('\n'));
  const page = await run('my-photos');
  expect(page.talk).toContain('my-photos is a folder of 8 pictures, with texts in captions.csv. Stages');
  const found = await search(page, { text: 'cat', modality: 'image', num_images: 8, deduplicate: false });
  expect(found.find(({ place }) => place === 'Donostia 1')).toMatchObject({ url: '1.jpg', caption: '<b>cat face</b>' });
});

test('a tar of another tool: freely named, its members in no order', async () => {
  const tar = pack();
  for (const [i, word] of words.entries()) tar.entry({ name: `data/sample ${i}.caption` }, word);
  for (const [i, bytes] of pictures.entries()) tar.entry({ name: `data/sample ${i}.jpeg` }, bytes);
  tar.finalize();
  await pipeline(tar, createWriteStream(join(folder, 'holidays.tar')));
  const page = await run('holidays.tar');
  expect(page.talk).toContain('holidays.tar is a webdataset tar.');
  expect((await search(page, { text: 'cat', modality: 'image', num_images: 8, deduplicate: false })).map(({ caption }) => caption).sort()).toEqual(
    words.toSorted(),
  );
});

test("embeddings in clip-retrieval's layout, without markers of ours", async () => {
  for (const [part, count] of [5, 3].entries()) {
    for (const name of ['img_emb', 'text_emb', 'metadata']) await mkdir(join(folder, 'embeddings', name), { recursive: true });
    for (const name of ['img_emb', 'text_emb']) {
      const writer = await NpyWriter.open(join(folder, 'embeddings', name, `${name}_${part}.npy`), vectorOf(0, 0).length, '<f2');
      for (let i = 0; i < count; i++) await writer.writeRow(vectorOf(part, i));
      await writer.close();
    }
    const rows = Array.from({ length: count }, (_, i) => ({ image_path: `${part}/${i}`, caption: `row ${i} of part ${part}`, price: i + 0.5 }));
    await writeParquet(
      join(folder, 'embeddings/metadata', `metadata_${part}.parquet`),
      z.object({ image_path: z.string(), caption: z.string(), price: z.number() }),
      rows,
    );
  }
  const page = await run('embeddings');
  expect(page.talk).toContain("embeddings is embeddings in clip-retrieval's layout. Stages: index.");
  const found = await search(page, { embedding_input: [...vectorOf(1, 2)], modality: 'image', num_images: 8, deduplicate: false });
  expect(found[0]).toMatchObject({ caption: 'row 2 of part 1', id: 7 });
  const [metadata] = (await post(page, '/metadata', { ids: [7], indice_name: 'pairmill-run' })) as { metadata: Record<string, unknown> }[];
  expect(metadata!.metadata).toMatchObject({ caption: 'row 2 of part 1', price: 2.5 });
});

test("embeddings of clip-retrieval's own writer, asked by its own client", async (context) => {
  const needs = 'import importlib.util, requests, fsspec, numpy, pandas, pyarrow; assert importlib.util.find_spec("clip_retrieval")';
  const python = requirePythonFor(context, needs, 'clip-retrieval, requests, fsspec, numpy, pandas and pyarrow');
  const script = join(import.meta.dirname, 'clip-retrieval.py');
  await promisify(execFile)(python, [script, 'write', join(folder, 'embeddings')]);
  const page = await run('embeddings');
  const { stdout } = await promisify(execFile)(python, [script, 'ask', page.url, 'pairmill-run']);
  const [near, words] = JSON.parse(stdout) as Hit[][];
  expect(near![0]).toMatchObject({ id: 6, caption: 'picture <b>6</b>', url: 'http://h.test/6.jpg', image_path: '000000006', 'shop.name': 'shop 6', n: 6 });
  expect(words).toHaveLength(3);
});

test("LAION's metadata", async () => {
  const some: { URL: string; TEXT: string }[] = [];
  for await (const { TEXT } of readParquet<{ TEXT: string }>(join(root, 'test/fixtures/laion-200.parquet')))
    if (some.push({ URL: `http://pictures.test/${some.length}.jpg`, TEXT }) === 40) break;
  await writeParquet(join(folder, 'metadata.parquet'), z.object({ URL: z.string(), TEXT: z.string() }), some);
  const page = await run('metadata.parquet', 'from the web');
  expect(page.talk).toMatch(/metadata\.parquet is a list of links \(parquet; the URL is in URL, the text in TEXT\)/);
  expect(await search(page, { text: 'a cat', modality: 'image', num_images: 40, deduplicate: false })).toHaveLength(40);
});

test('a WARC of one’s own', async () => {
  const images = words.map((word, i) => `<img src="/${i}.jpg" alt="a picture of ${word}">`).join('\n');
  const html = `HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>${images}</body></html>`;
  const head = [
    'WARC/1.0',
    'WARC-Type: response',
    'WARC-Target-URI: http://pictures.test/',
    'WARC-Date: 2026-01-01T00:00:00Z',
    'WARC-Record-ID: <urn:uuid:11111111-1111-1111-1111-111111111111>',
    'Content-Type: application/http; msgtype=response',
    `Content-Length: ${Buffer.byteLength(html)}`,
  ].join('\r\n');
  await writeFile(join(folder, 'mine.warc.gz'), gzipSync(`${head}\r\n\r\n${html}\r\n\r\n`));
  const page = await run('mine.warc.gz', 'from the web');
  expect(page.talk).toContain('mine.warc.gz is a crawl (WARC or WAT files).');
  const found = await search(page, { text: 'cat', modality: 'image', num_images: 8, deduplicate: false });
  expect(found.map(({ caption }) => caption).sort()).toEqual(words.map((word) => `a picture of ${word}`).sort());
});

test('a list is downloaded and nothing more; what another tool downloaded goes through the filter', async () => {
  await writeFile(join(folder, 'list.csv'), ['url,caption', ...words.map((word, i) => `http://pictures.test/${i}.jpg,${word}`)].join('\n'));
  const { child, finished } = startPairmill(
    [...documented('pairmill download --input list\\.csv '), '--connect-to', origin.connectTo, '--min-bytes', '0'],
    {},
    folder,
  );
  onTestFinished(() => void child.kill());
  const { code, err } = await finished;
  expect(code, err).toBe(0);
  // As img2dataset leaves it: tar and Parquet, and no marker of ours.
  await mkdir(join(folder, 'img2dataset-output'));
  for (const name of ['00000.tar', '00000.parquet']) await rename(join(folder, 'samples', name), join(folder, 'img2dataset-output', name));
  const page = await run('img2dataset-output', 'filtered');
  expect(page.talk).toContain('img2dataset-output is 1 shard of img2dataset. Stages: filter, embed, tag, release, index.');
  const found = await search(page, { text: 'dog face', modality: 'image', num_images: 8, deduplicate: false });
  expect(found.map(({ caption }) => caption).sort()).toEqual(words.toSorted());
});

test('the page has no further command', () => {
  const blocks = [...yourData.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, text]) => text!.trim().split('\n'));
  expect([...ran].sort()).toEqual(blocks.toSorted());
});

/** A vector of the model `mini`'s length, of its own for each part and row. */
function vectorOf(part: number, row: number): Float32Array {
  const vector = new Float32Array(256);
  vector.set([part, row, 1, 2]);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** The arguments of the command of docs/your-data.md that begins so. */
function documented(beginning: string): string[] {
  const [command] = new RegExp(`^${beginning}.*$`, 'm').exec(yourData) ?? [];
  if (command === undefined) throw new Error(`docs/your-data.md has no command ${beginning}`);
  ran.add(command);
  return command.split(' ').slice(1);
}

interface Page {
  url: string;
  /** What was printed on stderr. */
  talk: string;
}
type Hit = Record<string, unknown>;

/**
 * The command of docs/your-data.md for that input, in the folder, until the page is there; it is stopped when the test ends. What the
 * page leaves out is the small model, which needs no download, and the way to the origin.
 */
async function run(input: string, where: 'from the web' | 'filtered' | 'here' = 'here'): Promise<Page> {
  const command = documented(`pairmill run ${input.replaceAll('.', '\\.')}`);
  const filtered = ['--threshold', '-1'];
  const web = { 'from the web': [...filtered, '--connect-to', origin.connectTo, '--min-bytes', '0'], filtered, here: [] }[where];
  const { child, finished, err } = startPairmill([...command, '--model', 'mini', ...web, '--serve', '--port', '0'], {}, folder);
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await finished;
  });
  const url = await new Promise<string>((resolve, reject) => {
    let out = '';
    child.stdout!.on('data', (data: Buffer) => {
      out += data.toString();
      const found = /Search at (\S+)/.exec(out)?.[1];
      if (found !== undefined) resolve(found);
    });
    void finished.then(({ code, err }) => reject(new Error(`pairmill run ended with ${code}:\n${out}\n${err}`)));
  });
  return { url, talk: err() };
}

async function post(page: Page, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(new URL(path, page.url), { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const search = (page: Page, query: object): Promise<Hit[]> =>
  post(page, '/knn-service', { indice_name: 'pairmill-run', use_mclip: false, ...query }) as Promise<Hit[]>;

async function put(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), bytes);
}

/** Pictures of different content, out of the emoji set of the demo. */
async function emojiPictures(count: number): Promise<Buffer[]> {
  const { default: sharp } = await import('sharp');
  return Promise.all(
    Array.from({ length: count }, (_, i) =>
      sharp({ create: { width: 128, height: 128, channels: 3, background: '#fff' } })
        .composite([
          {
            input: { create: { width: 40 + 8 * i, height: 60, channels: 3, background: { r: (i * 90) % 256, g: (i * 50) % 256, b: 200 } } },
            left: 10,
            top: 10 + 4 * i,
          },
        ])
        .jpeg()
        .toBuffer(),
    ),
  );
}

import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateEmojiWeb } from '../../src/demo/generate.ts';
import { startOriginThread } from '../../src/demo/origin.ts';
import { pairmill, type Finished } from './pairmill.ts';
import { contentOf, type RunContent } from './run-content.ts';

/** Runs that fail in the middle and are mended by the same command, over three WATs on a real HTTP server. */
let base: string;
let wats: Server;
let origin: Awaited<ReturnType<typeof startOriginThread>>;
let quiet: RunContent;
/** Names of the WATs that the server refuses. */
const away = new Set<string>();

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-mend-'));
  const crawl = join(base, 'crawl');
  await generateEmojiWeb({ folder: crawl, candidates: 150, crawlFiles: 3 });
  origin = await startOriginThread({ folder: crawl });
  wats = createServer((request, response) => {
    const name = basename(request.url!);
    if (away.has(name)) response.writeHead(403).end();
    else
      readFile(join(crawl, 'wat', name)).then(
        (bytes) => response.writeHead(200, { 'content-length': bytes.length, etag: `"${bytes.length}"` }).end(bytes),
        () => response.writeHead(404).end(),
      );
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => wats.once('listening', resolve));
  await configure(3);
  const { code, err } = await start('quiet');
  expect(code, err).toBe(0);
  quiet = await contentOf(join(base, 'quiet'));
}, 300_000);

afterAll(async () => {
  wats.close();
  await origin.close();
  await rm(base, { recursive: true, force: true });
});

/** Writes the configuration with the first `count` WATs. */
async function configure(count: number): Promise<void> {
  const { port } = wats.address() as AddressInfo;
  const input = Array.from({ length: count }, (_, i) => `http://127.0.0.1:${port}/0000${i}.warc.wat.gz`).join(',');
  const config = {
    input,
    draw: { 'number-sample-per-shard': 100 },
    download: { 'connect-to': origin.connectTo, timeout: 3, 'resize-mode': 'keep_ratio', 'max-bytes': 20_000_000 },
    filter: { model: 'mini', 'multilingual-model': 'mini' },
    embed: { model: 'mini', 'shards-per-part': 2 },
    tag: { model: 'mini' },
  };
  // JSON is YAML.
  await writeFile(join(base, 'run.yaml'), JSON.stringify(config));
}

const finished = '10 stages were already finished: extract, dedup, ingest, draw, download, filter, embed, tag, release, index. Nothing was to be done.';

function start(run: string, ...more: string[]): Promise<Finished> {
  return pairmill(['run', join(base, 'run.yaml'), '--run-dir', join(base, run), ...more]);
}

test('a WAT that is away at first: the rest is made, and the same command ends as a quiet run', async () => {
  away.add('00001.warc.wat.gz');
  const failed = await start('away');
  away.clear();
  expect([failed.code, failed.err]).toEqual([1, expect.stringContaining('dedup is not whole: it waits for extract')]);
  const { code, err } = await start('away');
  expect(code, err).toBe(0);
  expect(await contentOf(join(base, 'away'))).toEqual(quiet);
}, 300_000);

test('--skip-failed goes on without it, and every later run agrees', async () => {
  away.add('00001.warc.wat.gz');
  const first = await start('skipped', '--skip-failed');
  expect(first.code, first.err).toBe(0);
  const content = await contentOf(join(base, 'skipped'));
  away.clear();
  const second = await start('skipped');
  expect([second.code, second.err]).toEqual([0, expect.stringContaining(finished)]);
  expect(await contentOf(join(base, 'skipped'))).toEqual(content);
}, 300_000);

test('the run folder copied and moved, its database gone: the same result, nothing made again', async () => {
  await cp(join(base, 'away'), join(base, 'copied'), { recursive: true });
  await rename(join(base, 'away'), join(base, 'moved'));
  await rm(join(base, 'moved', 'postgres'), { recursive: true, force: true });
  for (const run of ['copied', 'moved']) {
    const { code, err } = await start(run);
    expect([code, err]).toEqual([0, expect.stringContaining(finished)]);
    expect(await contentOf(join(base, run))).toEqual(quiet);
  }
}, 300_000);

test('a WAT that is added after downloading: only what is new is downloaded', async () => {
  await configure(2);
  const before = await start('grown');
  expect(before.code, before.err).toBe(0);
  const samples = await readdir(join(base, 'grown', 'samples'));
  await configure(3);
  const { code, err } = await start('grown');
  expect(code, err).toBe(0);
  expect((await readdir(join(base, 'grown', 'samples'))).length).toBeGreaterThan(samples.length);
  expect((await contentOf(join(base, 'grown'))).release).toEqual(quiet.release);
}, 300_000);

test('a WAT that is removed after downloading is refused, with what depends on it and the next step', async () => {
  await configure(2);
  const { code, err } = await start('moved');
  await configure(3);
  expect(code, err).toBe(2);
  expect(err).toMatch(/--accept-changed/);
  expect(err).toMatch(/--redo draw/);
}, 300_000);

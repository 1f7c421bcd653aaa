import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SearchResponse } from '../../src/contracts/search-api.ts';
import { SampleWriter } from '../../src/formats/webdataset.ts';
import { serveOptions } from '../../src/server/options.ts';
import { type RunningServer, startServer } from '../../src/server/start-server.ts';
import { environmentOf, withoutAws } from '../storage/aws-environment.ts';
import { type S3Server, startS3Server } from '../storage/s3-server.ts';
import { writeBuild, writeRun } from './small-service.ts';

/** `serve --input s3://…`: the index is copied, pictures are read by their bytes. */
const RUN = 's3://crawl/work/small';

withoutAws();

let base: string;
let server: S3Server;
let running: RunningServer | undefined;
const said: string[] = [];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-served-bucket-'));
  await mkdir(join(base, 'tmp'));
  vi.stubEnv('TMPDIR', join(base, 'tmp'));
  await writeRun(join(base, 'small'));
  server = await startS3Server();
  await upload();
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await running?.close();
  running = undefined;
  said.length = 0;
  await rm(base, { recursive: true, force: true });
});

/** Everything of the run, and nothing else. */
async function upload(): Promise<void> {
  const below = 'work/small/';
  for (const key of server.objects.keys()) server.objects.delete(key);
  for (const entry of await readdir(join(base, 'small'), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) server.objects.set(below + path.slice(join(base, 'small').length + 1), await readFile(path));
  }
}

async function start(input = RUN): Promise<void> {
  running = await startServer(serveOptions.parse({ input, port: 0 }), { warn: (line) => void said.push(line), environment: environmentOf(server) });
}

const ask = (path: string): Promise<Response> => fetch(`${running!.url}${path}`);
const captionOf = async (id: number): Promise<string> => {
  const response = await ask(`/api/v1/search?like=${2n ** 53n + 1n + BigInt(id)}&k=1`);
  expect(response.status).toBe(200);
  return ((await response.json()) as SearchResponse).results[0]!.caption;
};
const readsOfTar = (): string[] => server.requests.filter((request) => request.startsWith('GET') && request.includes('00000.tar'));
const copies = async (): Promise<string[]> => {
  const home = (await readdir(join(base, 'tmp'))).find((name) => name.startsWith('pairmill-'));
  return readdir(join(base, 'tmp', home!, 'served-index'));
};

test.each([RUN, `${RUN}/`, `${RUN}/index`])('%s answers with its own name, its samples and its pictures', async (input) => {
  await start(input);
  expect(await captionOf(21)).toBe('cherry <b>fig</b>');
  expect(await (await ask('/indices-list')).json()).toEqual(['small']);
  expect(await (await ask('/images/000000021')).text()).toBe('cherry <b>fig</b>');
  expect(await (await ask('/images/000000009')).text()).toBe('banana <b>banana</b>');
  expect((await ask('/images/000009999')).status).toBe(404);
  // The tar once for its index, then each picture alone.
  expect(readsOfTar()).toEqual([expect.not.stringContaining('bytes='), expect.stringMatching(/bytes=\d+-\d+$/), expect.stringMatching(/bytes=\d+-\d+$/)]);
});

test('the copy of the index is made once, whoever starts again', async () => {
  await start();
  expect(said).toEqual([expect.stringMatching(/^Copying the index of s3:\/\/crawl\/work\/small\/index \(\d+ MB\) to /)]);
  await running!.close();
  await start();
  expect(said).toHaveLength(1);
  expect(await captionOf(21)).toBe('cherry <b>fig</b>');
});

test('a new build is taken up while it runs, and the old copy goes; a bucket that fails stops nothing', async () => {
  await start();
  expect(await captionOf(21)).toBe('cherry <b>fig</b>');
  const before = await copies();
  await writeBuild(join(base, 'small'), 2);
  await upload();
  vi.advanceTimersByTime(6000);
  expect(await captionOf(21)).toBe('cherry <b>fig</b> of build 2');
  expect(await copies()).toEqual([expect.not.stringMatching(before[0]!)]);
  server.refuses = () => true;
  vi.advanceTimersByTime(6000);
  expect(await captionOf(21)).toBe('cherry <b>fig</b> of build 2');
  expect(said.at(-1)).toMatch(/Whether there is a new build in s3:.* can't be seen/);
}, 60_000);

test('of a tar that was made again the new pictures are read', async () => {
  await start();
  expect(await (await ask('/images/000000021')).text()).toBe('cherry <b>fig</b>');
  const path = join(base, 'again.tar');
  const tar = await SampleWriter.open(path);
  await tar.write('000000021', [['jpg', Buffer.from('made again')]]);
  await tar.close();
  server.objects.set('work/small/pairs/00000.tar', await readFile(path));
  expect(await (await ask('/images/000000021')).text()).toBe('made again');
  expect((await ask('/images/000000009')).status).toBe(404);
});

test('where there is no index, or one that is none', async () => {
  await expect(start('s3://crawl/work/elsewhere')).rejects.toThrow(/s3:\/\/crawl\/work\/elsewhere holds no index.*--input/);
  server.objects.set('work/small/index/index.json', Buffer.from('{"folder": "../.."}'));
  await expect(start()).rejects.toThrow(/is not an index that this version reads/);
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SearchResponse } from '../../src/contracts/search-api.ts';
import { openIndex } from '../../src/knn/open-index.ts';
import { createApp } from '../../src/server/app.ts';
import { CurrentIndex } from '../../src/server/current-index.ts';
import { HttpError } from '../../src/server/http-error.ts';
import { Metrics } from '../../src/server/metrics.ts';
import { LocalIndexFolder } from '../../src/server/index-folder.ts';
import { serveOptions } from '../../src/server/options.ts';
import { startServer } from '../../src/server/start-server.ts';
import { encoder, writeBuild, writeRun } from './small-service.ts';

let runDir: string;
let warnings: string[];
/** Folders of the builds that are open, by number. */
let open: Set<number>;
beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'pairmill-current-'));
  await writeRun(runDir);
  warnings = [];
  open = new Set();
});
afterEach(() => rm(runDir, { recursive: true, force: true }));

function openCurrent(): Promise<CurrentIndex<Awaited<ReturnType<typeof openBuild>>>> {
  return CurrentIndex.open({ version: () => new LocalIndexFolder(join(runDir, 'index')).version(), open: openBuild, warn: (line) => warnings.push(line) });
}

async function openBuild() {
  const index = await openIndex(join(runDir, 'index'));
  const build = Number(index.description.folder.slice('00000-'.length));
  open.add(build);
  const close = async (): Promise<void> => {
    expect(open.delete(build)).toBe(true);
    await index.close();
  };
  return { name: 'small', index, encoder, pictures: undefined, close };
}

test('while the index is built again and again no search fails, and a search afterwards is answered by the new one', { timeout: 60_000 }, async () => {
  const current = await openCurrent();
  const app = createApp({
    service: { indices: [current], metrics: new Metrics() },
    page: new Map(),
    cors: [],
    allowsHost: () => true,
    warn: (line) => warnings.push(line),
  });
  let building = true;
  const statuses = new Map<number, number>();
  const search = async (): Promise<SearchResponse> => {
    const response = await app.request('/api/v1/search?text=cherry+fig&k=20');
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    return (await response.json()) as SearchResponse;
  };
  const searching = async (): Promise<void> => {
    while (building) await search();
  };
  const searches = Array.from({ length: 4 }, searching);
  for (const build of [2, 3, 4, 5]) {
    await writeBuild(runDir, build);
    expect((await search()).results[0]!.caption).toBe(`cherry <b>fig</b> of build ${build}`);
  }
  building = false;
  await Promise.all(searches);
  expect([...statuses.keys()]).toEqual([200]);
  expect(statuses.get(200)).toBeGreaterThan(20);
  expect(warnings).toEqual([]);
  expect([...open]).toEqual([5]);
  await current.close();
  expect(open.size).toBe(0);
});

test('a request whose files vanish under it is answered from the beginning by the new build', async () => {
  const current = await openCurrent();
  const met: string[] = [];
  const captions = await current.use(async ({ index }) => {
    met.push(index.description.folder);
    if (met.length === 1) await writeBuild(runDir, 2);
    return (await index.samples([21])).map(({ caption }) => caption);
  });
  expect(met).toEqual(['00000-1', '00000-2']);
  expect(captions).toEqual(['cherry <b>fig</b> of build 2']);
  expect([...open]).toEqual([2]);
  await current.close();
});

test('a build is closed when the last request that began with it has been answered', async () => {
  const current = await openCurrent();
  const later = Promise.withResolvers<void>();
  const slow = current.use(async ({ index }) => {
    await later.promise;
    // The vectors are in an open file: they can still be read.
    return index.vector(21, 'image').length;
  });
  await writeBuild(runDir, 2);
  expect(await current.use(async ({ index }) => index.description.folder)).toBe('00000-2');
  expect([...open].sort()).toEqual([1, 2]);
  later.resolve();
  expect(await slow).toBe(8);
  expect([...open]).toEqual([2]);
  await current.close();
});

test('a fault that is not the index’s is not tried again', async () => {
  const current = await openCurrent();
  let tries = 0;
  const failing = (error: Error): Promise<never> =>
    current.use(() => {
      tries++;
      return Promise.reject(error);
    });
  await expect(failing(new Error('of ours'))).rejects.toThrow('of ours');
  await writeBuild(runDir, 2);
  await expect(failing(new HttpError(404, 'not there'))).rejects.toThrow('not there');
  expect(tries).toBe(2);
  await current.close();
});

test('a new build that can’t be opened is said once, and the one before goes on', async () => {
  const current = await openCurrent();
  await writeFile(join(runDir, 'index', 'index.json'), '{"tool": "another"}');
  for (let i = 0; i < 3; i++) expect(await current.use(async ({ index }) => (await index.samples([21])).length)).toBe(1);
  expect(warnings).toEqual([expect.stringMatching(/new build of the index small can't be opened.*not an index that this version reads/)]);
  await writeBuild(runDir, 2);
  expect(await current.use(async ({ index }) => index.description.folder)).toBe('00000-2');
  await current.close();
});

test('serve takes up an index that is built again', { timeout: 60_000 }, async () => {
  const server = await startServer(serveOptions.parse({ input: runDir, port: 0 }));
  const like = async (): Promise<SearchResponse> => {
    const response = await fetch(`${server.url}/api/v1/search?like=${2n ** 53n + 22n}&k=1`);
    expect(response.status).toBe(200);
    return (await response.json()) as SearchResponse;
  };
  try {
    expect((await like()).results[0]!.caption).toBe('cherry <b>fig</b>');
    await writeBuild(runDir, 2);
    expect((await like()).results[0]!.caption).toBe('cherry <b>fig</b> of build 2');
  } finally {
    await server.close();
  }
});

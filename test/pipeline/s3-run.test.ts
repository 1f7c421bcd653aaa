import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { SearchResponse } from '../../src/contracts/search-api.ts';
import { generateEmojiWeb } from '../../src/demo/generate.ts';
import { startOriginThread } from '../../src/demo/origin.ts';
import { serveOptions } from '../../src/server/options.ts';
import { startServer } from '../../src/server/start-server.ts';
import { openStorage } from '../../src/storage/open-storage.ts';
import { environmentOf, nothingOfAws } from '../storage/aws-environment.ts';
import { startMotoServer } from '../storage/moto-server.ts';
import { type S3Server, startS3Server } from '../storage/s3-server.ts';
import { pairmill, startPairmill } from './pairmill.ts';
import { contentOf, type RunContent } from './run-content.ts';

/** Runs whose folder lies in S3: they must end as a run in a folder does. */
let base: string;
let origin: Awaited<ReturnType<typeof startOriginThread>>;
let quiet: RunContent;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-s3-run-'));
  const crawl = join(base, 'crawl');
  await generateEmojiWeb({ folder: crawl, candidates: 200, crawlFiles: 3 });
  origin = await startOriginThread({ folder: crawl });
  const config = {
    input: join(crawl, 'wat'),
    draw: { 'number-sample-per-shard': 100 },
    download: { 'connect-to': origin.connectTo, timeout: 3, 'resize-mode': 'keep_ratio', 'max-bytes': 20_000_000 },
    filter: { model: 'mini', 'multilingual-model': 'mini' },
    embed: { model: 'mini', 'shards-per-part': 2 },
    tag: { model: 'mini' },
  };
  // JSON is YAML.
  await writeFile(join(base, 'run.yaml'), JSON.stringify(config));
  const { code, err } = await pairmill(runIn(join(base, 'quiet')));
  expect(code, err).toBe(0);
  quiet = await contentOf(join(base, 'quiet'));
}, 300_000);

afterAll(async () => {
  await origin.close();
  await rm(base, { recursive: true, force: true });
});

const RUN = 's3://crawl/work/run';
const runIn = (location: string): string[] => ['run', join(base, 'run.yaml'), '--run-dir', location];
/** The environment of a process that finds the server, and a temporary folder of its own, which the machine would have alone. */
const environment = async (server: Pick<S3Server, 'endpoint'>, name: string): Promise<Record<string, string>> => {
  const TMPDIR = join(base, name);
  await mkdir(TMPDIR, { recursive: true });
  return { ...nothingOfAws, ...(environmentOf(server) as Record<string, string>), TMPDIR };
};

/** What lies in the bucket, read as a run folder. */
async function storedContent(server: S3Server, name: string): Promise<RunContent> {
  const folder = join(base, `${name}-copy`);
  for (const [key, bytes] of server.objects) {
    const path = join(folder, key.slice('work/run/'.length));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
  return contentOf(folder);
}

describe('a run in S3', () => {
  test('ends as one in a folder, byte by byte, is refused to a second process meanwhile, and leaves nothing here but its database', async () => {
    const server = await startS3Server({ pageKeys: 1000 });
    const env = await environment(server, 'plain');
    const first = startPairmill(runIn(RUN), env);
    while (!server.objects.has('work/run/_lock.json')) await wait(20);
    const second = await pairmill(runIn(RUN), await environment(server, 'second'));
    expect([second.code, second.err]).toEqual([2, expect.stringMatching(/Another pairmill process \(pid \d+ on .*\) works on s3:\/\/crawl\/work\/run/)]);
    const { code, err } = await first.finished;
    expect(code, err).toBe(0);
    expect(await storedContent(server, 'plain')).toEqual(quiet);
    expect([...server.objects.keys()].filter((key) => /\.tmp$|_lock\.json$|scratch|postgres/.test(key))).toEqual([]);
    expect([...server.uploads.keys()]).toEqual([]);
    // The folder is for this user alone, and nobody can guess its name.
    const homes = (await readdir(env['TMPDIR']!)).filter((name) => name.startsWith('pairmill-'));
    expect(homes).toEqual([expect.stringMatching(/^pairmill-[0-9a-f]{16}-\w{6}$/)]);
    const home = join(env['TMPDIR']!, homes[0]!);
    expect(await readdir(home)).toEqual(['postgres']);
    expect((await stat(home)).mode & 0o077).toBe(0);
  }, 300_000);

  test('has nothing to do at a second start, and makes nothing again', async () => {
    const server = await startS3Server({ pageKeys: 1000 });
    for (const entry of await readdir(join(base, 'quiet'), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(join(base, 'quiet').length + 1);
      if (entry.isFile() && !name.startsWith('postgres/')) server.objects.set(`work/run/${name}`, await readFile(path));
    }
    const before = new Map(server.objects);
    const { code, err } = await pairmill(runIn(RUN), await environment(server, 'again'));
    expect([code, err]).toEqual([0, expect.stringContaining('10 stages were already finished')]);
    for (const [key, bytes] of server.objects) if (!/(?:run|summary)\.json$/.test(key)) expect(bytes.equals(before.get(key)!), key).toBe(true);
  }, 300_000);

  test('ends the same where every tenth request fails: an error 500, a connection cut before, within or after the answer', async () => {
    const server = await startS3Server({ pageKeys: 1000 });
    server.faultEvery = 10;
    const { code, err } = await pairmill(runIn(RUN), await environment(server, 'faults'));
    expect(code, err).toBe(0);
    expect(err).not.toContain('is tried again');
    expect(server.faults).toBeGreaterThan(20);
    server.faultEvery = 0;
    expect(await storedContent(server, 'faults')).toEqual(quiet);
  }, 300_000);

  test("ends the same in moto's S3, and is served from there", { timeout: 300_000 }, async (context) => {
    const server = await startMotoServer(context);
    const env = await environment(server, 'moto');
    const { code, err } = await pairmill(runIn(RUN), env);
    expect(code, err).toBe(0);
    const storage = await openStorage(RUN, environmentOf(server));
    const folder = await storage.fetch('', join(base, 'moto-copy'));
    expect(await contentOf(folder)).toEqual(quiet);
    // The copy of the index lies in the temporary folder.
    vi.stubEnv('TMPDIR', env['TMPDIR']);
    const served = await startServer(serveOptions.parse({ input: RUN, port: 0 }), { warn: () => undefined, environment: environmentOf(server) });
    onTestFinished(() => served.close());
    const { results } = (await (await fetch(`${served.url}/api/v1/search?text=dog&k=3`)).json()) as SearchResponse;
    expect(results).toHaveLength(3);
    const picture = await fetch(`${served.url}${results[0]!.image!}`);
    expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
  });

  test('is taken up within a minute by the same command where its process was killed, here on another machine', async () => {
    const server = await startS3Server({ pageKeys: 1000 });
    const { child, finished: killed } = startPairmill(runIn(RUN), await environment(server, 'killed'));
    while (!server.objects.has('work/run/samples/00000_stats.json')) await wait(20);
    process.kill(-child.pid!, 'SIGKILL');
    expect((await killed).signal).toBe('SIGKILL');
    expect(server.objects.has('work/run/_lock.json')).toBe(true);
    expect(server.objects.has('work/run/release/_sealed.json')).toBe(false);
    const began = performance.now();
    const next = startPairmill(runIn(RUN), await environment(server, 'next'));
    const lockOf = (): string => JSON.parse(server.objects.get('work/run/_lock.json')?.toString() ?? '{}').who ?? '';
    const dead = lockOf();
    while (lockOf() === dead) await wait(100);
    expect(performance.now() - began).toBeLessThan(60_000);
    const { code, err } = await next.finished;
    expect(code, err).toBe(0);
    expect(err).toContain(`${RUN} is locked by another pairmill process (${dead}). If it was killed, this one goes on in 40 s.`);
    expect(await storedContent(server, 'killed')).toEqual(quiet);
  }, 300_000);
});

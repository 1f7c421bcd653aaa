import { randomUUID } from 'node:crypto';
import { appendFile, cp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { localHome } from '../../../src/runtime/local-home.ts';
import { removeJournals, ShardJournal } from '../../../src/runtime/shard-journal.ts';
import { type LoopbackServer, startServer } from '../../net/loopback-server.ts';
import { digests as allDigests } from '../run-one-stage.ts';
import { runDownload, temporaryFolder, writeLinks } from './run-download.ts';

/**
 * A shard that was stopped is not fetched again from zero: what the origin is asked for by the second run is counted.
 */
const LINKS = 60;
let bodies: Buffer[];

beforeAll(async () => {
  bodies = await Promise.all(
    Array.from({ length: 5 }, async (_, i) =>
      sharp({ create: { width: 300, height: 200, channels: 3, background: { r: i * 50, g: 0, b: 0 }, noise: { type: 'gaussian', mean: 128, sigma: 30 } } })
        .jpeg()
        .toBuffer(),
    ),
  );
});

const links = Array.from({ length: LINKS }, (_, i) => ({ url: `http://a.test/${i}.jpg`, text: `picture ${i}` }));

/** Pictures; every tenth is not there, every tenth breaks off at first. `asked` are the pictures that were asked for. */
async function origin(onRequest: (server: LoopbackServer) => void = () => undefined): Promise<LoopbackServer & { asked: () => number[]; forget: () => void }> {
  const server = await startServer((request, response) => {
    onRequest(server);
    const number = Number(/\d+/.exec(request.url!)?.[0]);
    if (request.url === '/robots.txt' || number % 10 === 3) response.writeHead(404).end();
    else if (number % 10 === 7 && server.requests.filter((each) => each.endsWith(request.url!)).length === 1) request.socket.destroy();
    else response.end(bodies[number % bodies.length]);
  });
  return Object.assign(server, {
    asked: () => server.requests.flatMap((each) => /\/(\d+)\.jpg/.exec(each)?.[1] ?? []).map(Number),
    forget: () => void server.requests.splice(0),
  });
}

const optionsOf = ({ port }: LoopbackServer): { connectTo: string[]; minBytes: number; retries: number; concurrency: number } => ({
  connectTo: [`::127.0.0.1:${port}`],
  minBytes: 0,
  retries: 1,
  concurrency: 8,
});

/** Without run.json, which has a random id. */
async function digests(output: string): Promise<Record<string, string>> {
  const { '/run.json': _record, ...rest } = await allDigests(output);
  return rest;
}

async function journals(output: string): Promise<string[]> {
  const folder = join(output, '_journal', 'download');
  return (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
}

/** Fails at the point of a shard, of which nothing is tidied up but what a killed process would leave to the next. */
const failingAt =
  (point: string) =>
  (each: string): void => {
    if (each === point) throw new Error('killed');
  };

describe('a shard that was stopped', () => {
  test('at its end: nothing is asked for again, and the result is that of a quiet run', async () => {
    const server = await origin();
    const folder = await temporaryFolder();
    const input = await writeLinks(join(folder, 'links.parquet'), links);
    await runDownload(input, optionsOf(server), { output: join(folder, 'quiet') });
    const [output, again] = [join(folder, 'samples'), join(folder, 'again')];
    await runDownload(input, optionsOf(server), { output, reached: failingAt('download.written') });
    expect(await journals(output)).not.toEqual([]);
    await cp(output, again, { recursive: true });
    await cp(`${output}-lists`, `${again}-lists`, { recursive: true });

    server.forget();
    const { summary } = await runDownload(input, optionsOf(server), { output });
    expect(server.requests).toEqual([]);
    expect(summary).toMatchObject({ in: LINKS, out: 54, dropped: { 'http-not-found': 6 } });
    expect(await digests(output)).toEqual(await digests(join(folder, 'quiet')));
    // Nothing is left of the journal.
    expect(await readdir(output)).not.toContain('_journal');

    // With another option that decides the result, or another origin, nothing of it is used.
    await runDownload(input, { ...optionsOf(server), imageSize: 128 }, { output: again });
    expect(new Set(server.asked()).size).toBe(LINKS);
    expect(await readdir(again)).not.toContain('_journal');
  }, 60_000);

  test('near its end: only what was missing is asked for; a torn journal costs its end', async () => {
    const stop = new AbortController();
    let stopsAt = Infinity;
    const server = await origin(({ requests }) => {
      if (requests.length === stopsAt) stop.abort();
    });
    const folder = await temporaryFolder();
    const input = await writeLinks(join(folder, 'links.parquet'), links);
    await runDownload(input, optionsOf(server), { output: join(folder, 'quiet') });
    const output = join(folder, 'samples');
    server.forget();
    stopsAt = 50;
    await expect(runDownload(input, optionsOf(server), { output, signal: stop.signal })).rejects.toThrow('Stopped');
    await sleep(50);
    const [journal] = await journals(output);
    // What was under way when it stopped, eight at a time, is lost.
    const atStop = new Set(server.asked()).size;
    stopsAt = Infinity;
    expect(atStop).toBeGreaterThan(35);

    const { size } = await stat(journal!);
    await truncate(journal!, size - 100);
    await appendFile(journal!, Buffer.alloc(500));
    server.forget();
    await runDownload(input, optionsOf(server), { output });
    // Those that break off at first are asked for twice. What was torn is one picture, or the note of a 404 and part of what is before it.
    const asked = new Set(server.asked()).size;
    expect(asked).toBeLessThanOrEqual(LINKS - atStop + 8 + 2);
    expect(asked).toBeGreaterThan(0);
    expect(await digests(output)).toEqual(await digests(join(folder, 'quiet')));
  }, 60_000);

  test('often: its journals hold each picture once, and go with a shard that is given up', async () => {
    const server = await origin();
    const folder = await temporaryFolder();
    const input = await writeLinks(join(folder, 'links.parquet'), links);
    const output = join(folder, 'samples');
    await runDownload(input, optionsOf(server), { output, reached: failingAt('download.written') });
    const sizeOf = async (): Promise<number> =>
      (await Promise.all((await journals(output)).map(async (path) => (await stat(path)).size))).reduce((a, b) => a + b, 0);
    const size = await sizeOf();
    for (let i = 0; i < 3; i++) await runDownload(input, optionsOf(server), { output, reached: failingAt('download.renamed') });
    expect(await sizeOf()).toBe(size);
    await runDownload(input, optionsOf(server), { output, skipFailed: 1, reached: failingAt('download.written') });
    expect(await readdir(output)).not.toContain('_journal');
  }, 60_000);
});

describe('the journal', () => {
  test('gives back what was noted, bytes and big numbers included', async () => {
    const folder = await temporaryFolder();
    const key = { madeBy: 1 };
    const first = await ShardJournal.open(folder, 'download', '00007', key);
    await Promise.all([first.note(3, { bytes: Buffer.from('abc'), hash: 5n ** 20n, none: undefined }), first.note(900_000, 'x'.repeat(300_000))]);
    // Killed: not closed.
    const second = await ShardJournal.open(folder, 'download', '00007', key);
    onTestFinished(() => second.close());
    const value = (await second.recall(3)) as { bytes: Uint8Array };
    expect({ ...value, bytes: Buffer.from(value.bytes).toString() }).toEqual({ bytes: 'abc', hash: 5n ** 20n, none: undefined });
    expect(await second.recall(900_000)).toHaveLength(300_000);
    expect(await second.recall(4)).toBeUndefined();
    await first.close();
    // A shard of that name with other inputs.
    const other = await ShardJournal.open(folder, 'download', '00007', { madeBy: 2 });
    onTestFinished(() => other.close());
    expect(await other.recall(3)).toBeUndefined();
    expect(await readdir(join(folder, '_journal', 'download'))).toEqual([]);
  });

  test('of many shards at a time: one that is removed does not take the folder from the others', async () => {
    const folder = await temporaryFolder();
    const work = async (shard: number): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        const journal = await ShardJournal.open(folder, 'download', String(shard), 1);
        await journal.note(0, i);
        await journal.remove();
      }
    };
    await Promise.all(Array.from({ length: 8 }, async (_, shard) => work(shard)));
    expect(await readdir(join(folder, '_journal', 'download'))).toEqual([]);
  });

  test('of a run in S3 lies on this machine', async () => {
    const location = `s3://bucket/${randomUUID()}`;
    onTestFinished(async () => rm(await localHome(location), { recursive: true, force: true }));
    const first = await ShardJournal.open(location, 'download', '00000', 1);
    await first.note(0, 'here');
    await first.close();
    const again = await ShardJournal.open(location, 'download', '00000', 1);
    expect(await again.recall(0)).toBe('here');
    await again.remove();
    expect(await readdir(join(await localHome(location), '_journal', 'download'))).toEqual([]);
    await removeJournals(location, 'download');
    expect(await readdir(await localHome(location))).toEqual([]);
  });

  test.each(['a cut', 'a changed byte', 'zeros at the end', 'nothing but a part of the key'])(
    '%s costs what comes after it and nothing before',
    async (damage) => {
      const folder = await temporaryFolder();
      const journal = await ShardJournal.open(folder, 'download', '00000', 1);
      for (let i = 0; i < 10; i++) await journal.note(i, Buffer.alloc(1000, i));
      await journal.close();
      const [name] = await readdir(join(folder, '_journal', 'download'));
      const path = join(folder, '_journal', 'download', name!);
      const bytes = await readFile(path);
      await rm(path);
      if (damage === 'a changed byte') bytes[bytes.length - 1500]! ^= 1;
      const kept = damage === 'a cut' ? bytes.subarray(0, -1500) : damage.startsWith('nothing') ? bytes.subarray(0, 20) : bytes;
      await appendFile(path, damage === 'zeros at the end' ? Buffer.concat([kept, Buffer.alloc(4096)]) : kept);
      const again = await ShardJournal.open(folder, 'download', '00000', 1);
      onTestFinished(() => again.close());
      const found = [];
      for (let i = 0; i < 10; i++) if (((await again.recall(i)) as Uint8Array | undefined)?.every((byte) => byte === i)) found.push(i);
      const wanted = { 'a cut': 8, 'a changed byte': 8, 'zeros at the end': 10, 'nothing but a part of the key': 0 }[damage]!;
      expect(found).toEqual(Array.from({ length: wanted }, (_, i) => i));
    },
  );
});

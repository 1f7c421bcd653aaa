import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { BatchLink } from '../../src/contracts/records.ts';
import { clusterName, serverProcesses } from '../../src/db/server-processes.ts';
import { generateEmojiWeb } from '../../src/demo/generate.ts';
import { rowsBelow } from '../pipeline/demo-run.ts';
import { type Finished, pairmill, startPairmill } from '../pipeline/pairmill.ts';
import { leftBy } from './signalled-run.ts';

/**
 * PostgreSQL killed under a run that brings links in or draws them, at named points at which the run waits for it, each followed by the
 * same command: a plain message, nothing left, and in the end the batches of a run under which nobody killed anything.
 */
let base: string;
let quiet: string[];

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-database-'));
  await generateEmojiWeb({ folder: join(base, 'crawl'), candidates: 100, crawlFiles: 2 });
  await finish('quiet');
  quiet = await drawn('quiet');
  expect(quiet.length).toBeGreaterThan(50);
});

afterAll(() => rm(base, { recursive: true, force: true }));

const folder = (run: string): string => join(base, run);
const command = (run: string): string[] => [
  'run',
  join(base, 'crawl', 'wat'),
  '--run-dir',
  folder(run),
  '--until',
  'draw',
  '--number-sample-per-shard',
  '25',
  '--quiet',
];

async function finish(run: string): Promise<void> {
  const { code, err } = await pairmill(command(run));
  expect(code, err).toBe(0);
}

/** The links of all batches, each once. */
async function drawn(run: string): Promise<string[]> {
  const links: string[] = [];
  for await (const { hash, ...rest } of rowsBelow<BatchLink>(join(folder(run), 'batches')))
    links.push(`${hash} ${JSON.stringify(rest, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`);
  expect(new Set(links).size).toBe(links.length);
  return links.sort();
}

/** Process ids of the run's server: the postmaster's, and those of the processes that serve its connections. */
async function serverOf(run: string): Promise<{ postmaster: number; backends: number[] }> {
  const home = join(await realpath(folder(run)), 'postgres');
  const record = JSON.parse(await readFile(join(home, 'server.json'), 'utf8')) as { serverRoot?: string };
  const data = join(record.serverRoot ?? home, 'data');
  const postmaster = Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  const backends: number[] = [];
  for (const pid of await serverProcesses(clusterName(data)))
    if (/ idle|active|COPY|COMMIT|BEGIN|SELECT|INSERT|in transaction/.test(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))) backends.push(pid);
  return { postmaster, backends };
}

/** Starts the command, does something to its surroundings at a point at which it waits, and lets it go on. */
async function runWith(run: string, point: string, fault: () => Promise<void>): Promise<Finished> {
  const pause = join(base, `${run}-${point}`);
  await writeFile(pause, '');
  const { finished } = startPairmill(command(run), { PAIRMILL_PAUSE_AT: `${point}=${pause}` });
  let ended: Finished | undefined;
  void finished.then((outcome) => (ended = outcome));
  while ((await readFile(pause, 'utf8')) === '') {
    expect(ended, `${point} was not reached: ${ended?.err}`).toBeUndefined();
    await sleep(2);
  }
  await fault();
  await rm(pause);
  return finished;
}

/** Before and in the middle of COPY, while COMMIT is on its way, and with links marked for a batch. */
const points = ['ingest.leased', 'ingest.copying', 'ingest.committing', 'draw.leased'];

/** Whichever notices first: the run that its server has ended, or the shard that its connection has. */
const words =
  /^pairmill: (?:PostgreSQL of this run ended \(signal 9\)\. Start the same command again: nothing is lost\.|[^\n]*: (?:the connection to the database was lost|the database is shutting down or starting)(?: \([^)\n]*\))?\. Nothing is lost: the same command goes on from here\.|[^\n]*The database has lost its tables meanwhile\. Start the same command again: they are filled anew from the links\.|PostgreSQL of this run can't be reached: [^\n]*\. Start the same command again: nothing is lost\.)\n$/;

test.each([
  ['the postmaster', async (run: string): Promise<void> => void process.kill((await serverOf(run)).postmaster, 'SIGKILL')],
  [
    'a process of a connection',
    async (run: string): Promise<void> => {
      // The postmaster ends all others then, and empties the tables as it recovers. A connection that is quicker would not notice.
      const { backends } = await serverOf(run);
      process.kill(backends[0]!, 'SIGKILL');
      while (backends.some((pid) => existsSync(`/proc/${pid}`))) await sleep(1);
    },
  ],
] as const)('kill -9 of %s in each transaction: a plain message and the same command goes on, or the run does by itself', async (what, kill) => {
  const run = what.replaceAll(' ', '-');
  for (const point of points) {
    let killed = 0;
    const { code, err } = await runWith(run, point, async () => {
      await kill(run);
      killed = Date.now();
    });
    // It does not wait for a server that recovers.
    expect(Date.now() - killed, point).toBeLessThan(20_000);
    expect(await leftBy(folder(run))).toEqual([]);
    const said = err.replaceAll(/^warning: (?:ingest|draw) .* copied again\.\n/gm, '');
    if (code === 0) {
      // A server that has recovered before it is asked again has lost nothing but what was copied again. The next point needs a new run.
      expect([point, said]).toEqual([point, '']);
      expect(await drawn(run)).toEqual(quiet);
      await rm(folder(run), { recursive: true });
    } else expect([point, code, said]).toEqual([point, 1, expect.stringMatching(words)]);
  }
  await finish(run);
  expect(await drawn(run)).toEqual(quiet);
});

test('a disk that is full in the middle of ingest is named, and with room on it the same command goes on', async (context) => {
  const run = 'full';
  await mkdir(folder(run));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100m', 'none', folder(run)], { stdio: 'ignore' });
  } catch {
    return context.skip('mounting a tmpfs needs root');
  }
  onTestFinished(() => void execFileSync('umount', ['-l', folder(run)]));
  const fill = async (): Promise<void> => {
    // In pieces, so that the last bytes are taken too.
    for (const bytes of [1 << 20, 1 << 12])
      for (let i = 0; ; i++) {
        const full = await writeFile(join(folder(run), `fill-${bytes}-${i}`), Buffer.alloc(bytes)).then(
          () => false,
          () => true,
        );
        if (full) break;
      }
  };
  const { code, err } = await runWith(run, 'ingest.leased', fill);
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(/^pairmill: [^\n]*(?:the disk of the database is full|the disk of \S+ is full|PostgreSQL of this run ended)[^\n]*\n$/),
  ]);
  execFileSync('sh', ['-c', `rm ${folder(run)}/fill-*`]);
  await finish(run);
  expect(await drawn(run)).toEqual(quiet);
});

test.for(['ingest.leased', 'ingest.copying', 'draw.leased'])(
  'a disk that turns read-only at %s is named, and written again the same command goes on',
  async (point, context) => {
    const run = `read-only-${point}`;
    const image = join(base, `${run}.img`);
    const mount = (): void => void execFileSync('mount', ['-o', 'loop,errors=remount-ro', image, folder(run)], { stdio: 'ignore' });
    const unmount = (): void => void execFileSync('umount', ['-l', folder(run)], { stdio: 'ignore' });
    await mkdir(folder(run));
    try {
      await writeFile(image, '');
      await truncate(image, 200 * 2 ** 20);
      execFileSync('mkfs.ext4', ['-q', image], { stdio: 'ignore' });
      mount();
    } catch {
      return context.skip('mounting a file as a disk needs root, mkfs.ext4 and loop devices');
    }
    onTestFinished(unmount);
    // What ext4 does when its disk fails.
    const { code, err } = await runWith(run, point, async () => void execFileSync('mount', ['-o', 'remount,abort', folder(run)]));
    // Whichever notices first: a shard, or PostgreSQL, which gives up.
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^pairmill: [^\n]*(?:has become read-only|PostgreSQL of this run ended)[^\n]*the same command[^\n]*\n$/i),
    ]);
    unmount();
    mount();
    await finish(run);
    expect(await drawn(run)).toEqual(quiet);
  },
);

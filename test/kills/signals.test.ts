import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { routes } from '../../src/pipeline.ts';
import { files } from '../pipeline/run-content.ts';
import { pairmill } from '../pipeline/pairmill.ts';
import { leftBy, type Start, startSignalled } from './signalled-run.ts';

/**
 * Signals in the middle of each stage, each followed by the same command. Three runs are signalled in stage after stage, so that
 * each stage meets each signal, and each signal meets each way of starting.
 */
const demo = (runDir: string, ...more: string[]): string[] => ['demo', '--no-serve', '--quiet', '--candidates', '150', '--run-dir', runDir, ...more];

const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const signals = Object.keys(codes) as (keyof typeof codes)[];
const starts: Start[] = ['node', 'launcher', 'terminal'];
const ms = (least: number, most: number): number => least + Math.random() * (most - least);

const oldNode = ['/usr/bin/node', '/usr/local/bin/node', process.env['PAIRMILL_OLD_NODE']].find((path) =>
  /^v2[0-3]\./.test(spawnSync(path ?? '', ['--version'], { encoding: 'utf8' }).stdout ?? ''),
);
const hasTerminal = spawnSync('script', ['--version']).status === 0;

let base: string;
let quiet: Record<string, string>;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-signals-'));
  const { code, err } = await pairmill(demo(join(base, 'quiet')));
  expect(code, err).toBe(0);
  quiet = await files(join(base, 'quiet', 'release'));
});

afterAll(() => rm(base, { recursive: true, force: true }));

async function endsAsAQuietRun(runDir: string): Promise<void> {
  const { code, err } = await pairmill(demo(runDir));
  expect(code, err).toBe(0);
  expect(await files(join(runDir, 'release'))).toEqual(quiet);
  expect(await leftBy(runDir)).toEqual([]);
}

test.for([0, 1, 2])('each stage is stopped by a signal within 5 s and leaves nothing; the same command goes on (%i)', async (turn, context) => {
  const runDir = join(base, `turn-${turn}`);
  const missed: string[] = [];
  for (const [i, { name }] of routes.crawl.entries()) {
    const signal = signals[(i + turn) % 3]!;
    const start = starts[(Math.floor(i / 3) + i + 2 * turn) % 3]!;
    if ((start !== 'node' && !oldNode) || (start === 'terminal' && !hasTerminal)) {
      await context.annotate(`${name} is not started by a ${start}: there is none on this machine (set PAIRMILL_OLD_NODE)`);
      continue;
    }
    const run = startSignalled(demo(runDir), start, { folder: base, oldNode: oldNode! });
    if (await run.untilAtWork(name)) {
      // Not always at the beginning of a shard.
      await new Promise((resolve) => setTimeout(resolve, ms(0, 60)));
      run.send(signal);
    } else missed.push(name);
    const { code, err, seconds } = await run.ended;
    const what = `${signal} in ${name}, started by ${start}: ${err}`;
    expect(code, what).toBe(codes[signal]);
    expect(seconds, what).toBeLessThan(5);
    // Nobody reads of a terminal that was closed.
    if (!(start === 'terminal' && signal === 'SIGHUP'))
      expect(
        // A terminal shows Ctrl-C as ^C.
        err.match(/pairmill: [^\r\n]*/g),
        what,
      ).toEqual([`pairmill: stopped by ${signal}. The same command goes on from here.`]);
    expect(await leftBy(runDir), what).toEqual([]);
  }
  expect(missed).toEqual([]);
  await endsAsAQuietRun(runDir);
});

test('kill -9 of the older Node that started it stops the run as a SIGTERM does', async (context) => {
  if (!oldNode) return context.skip('no Node 20 to 23 on this machine (set PAIRMILL_OLD_NODE to one)');
  const runDir = join(base, 'launcher');
  const run = startSignalled(demo(runDir), 'launcher', { folder: base, oldNode });
  expect(await run.untilAtWork('draw')).toBe(true);
  run.killLauncher();
  expect((await run.ended).code).toBe(137);
  const start = Date.now();
  let left = await leftBy(runDir);
  while (left.length > 0 && Date.now() - start < 5_000) left = await leftBy(runDir);
  expect(left).toEqual([]);
  await endsAsAQuietRun(runDir);
});

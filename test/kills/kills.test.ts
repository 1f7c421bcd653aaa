import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { routes } from '../../src/pipeline.ts';
import { type Finished, pairmill, startPairmill } from '../pipeline/pairmill.ts';
import { contentOf, type RunContent } from '../pipeline/run-content.ts';

/**
 * kill -9 of the whole process group, at named points and at random moments, each followed by the same command, and in the end all
 * that the run has made compared with a run that nobody killed. The kills of a test hit one run folder, one after another, as a
 * run with bad luck would.
 */
const CANDIDATES = '300';
const demo = (runDir: string, ...more: string[]): string[] => ['demo', '--no-serve', '--quiet', '--candidates', CANDIDATES, '--run-dir', runDir, ...more];

let base: string;
let unkilled: RunContent;
let seconds: number;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-kills-'));
  const started = performance.now();
  await finish(join(base, 'unkilled'));
  seconds = (performance.now() - started) / 1000;
  unkilled = await contentOf(join(base, 'unkilled'));
}, 300_000);

afterAll(() => rm(base, { recursive: true, force: true }));

/** Starts the command, which kills itself at the point. A point that the run does not pass tests nothing, so it fails the test. */
async function killAt(point: string, runDir: string, ...more: string[]): Promise<void> {
  const { signal, code, err } = await pairmill(demo(runDir, ...more), { PAIRMILL_KILL_AT: point });
  expect(signal, `${point} was not reached; the command ended with ${code}:\n${err}`).toBe('SIGKILL');
}

async function finish(runDir: string, ...more: string[]): Promise<Finished> {
  const finished = await pairmill(demo(runDir, ...more));
  expect(finished.code, finished.err).toBe(0);
  return finished;
}

/** Points of the database's own, and of every shard: before its files are moved into place, before its rejects are, before its marker. */
const own = ['ingest.leased', 'ingest.committing', 'draw.leased'];
const ofShard = ['written', 'renamed', 'unmarked'];

test('at each named point of a shard, one after another', { timeout: 900_000 }, async () => {
  const runDir = join(base, 'named');
  // What a stage has not finished, those after it have not: no run passes a point before it is killed there.
  for (const { name } of routes.crawl) {
    const points = [...own.filter((point) => point.startsWith(`${name}.`)), ...ofShard.map((point) => `${name}.${point}`)];
    for (const point of points) await killAt(point, runDir);
  }
  await finish(runDir);
  expect(await contentOf(runDir)).toEqual(unkilled);
});

test('at the seal of each stage, before and after it is written', { timeout: 900_000 }, async () => {
  const runDir = join(base, 'sealed');
  for (const { name } of routes.crawl) for (const point of ['sealing', 'sealed']) await killAt(`${name}.${point}`, runDir);
  await finish(runDir);
  expect(await contentOf(runDir)).toEqual(unkilled);
});

describe('two kills, at points of stages that are apart', () => {
  test.each([
    ['ingest.committing', 'download.renamed'],
    ['draw.leased', 'index.written'],
    ['dedup.unmarked', 'embed.marked'],
  ])('%s, then %s', { timeout: 300_000 }, async (first, second) => {
    const runDir = join(base, first);
    await killAt(first, runDir);
    await killAt(second, runDir);
    await finish(runDir);
    expect(await contentOf(runDir)).toEqual(unkilled);
  });
});

test('a redo of everything, killed twice in each stage: it goes on without the flag', { timeout: 900_000 }, async () => {
  const runDir = join(base, 'redo');
  await cp(join(base, 'unkilled'), runDir, { recursive: true });
  const redo = ['--redo', 'all'];
  for (const { name, swaps } of routes.crawl) {
    // Between the marker that goes and the files; where a stage swaps, between the new marker and the old files.
    for (const point of [swaps ? 'unmarked' : 'unmade', 'marked']) await killAt(`${name}.${point}`, runDir, ...redo.splice(0));
  }
  await finish(runDir);
  expect(await contentOf(runDir)).toEqual(unkilled);
});

test('at eight random moments of work', { timeout: 900_000 }, async () => {
  let [kills, runs] = [0, 0];
  while (kills < 8) {
    const runDir = join(base, `random-${runs}`);
    const { child, finished, err } = startPairmill(demo(runDir).filter((argument) => argument !== '--quiet'));
    // The stages begin when the example crawl is there. A tenth of the whole each time, so that the kills spread over the stages.
    await untilCrawlIsThere(err, finished);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * seconds * 200));
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL');
    const { signal, code } = await finished;
    if (signal === 'SIGKILL') kills++;
    else {
      // It was faster than the kill, which therefore does not count: the rest hit another run.
      expect([code, await contentOf(runDir)]).toEqual([0, unkilled]);
      runs++;
      expect(runs).toBeLessThan(4);
    }
  }
  const runDir = join(base, `random-${runs}`);
  await finish(runDir);
  expect(await contentOf(runDir)).toEqual(unkilled);
});

test('one worker and three give the same', { timeout: 300_000 }, async () => {
  for (const workers of ['1', '3']) {
    const runDir = join(base, `workers-${workers}`);
    await finish(runDir, '--workers', workers);
    expect(await contentOf(runDir)).toEqual(unkilled);
  }
});

async function untilCrawlIsThere(err: () => string, finished: Promise<unknown>): Promise<void> {
  let ended = false;
  void finished.then(() => (ended = true));
  while (!ended && !err().includes('crawl:')) await new Promise((resolve) => setTimeout(resolve, 20));
}

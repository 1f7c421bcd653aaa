import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pipeline } from '../../src/pipeline.ts';
import { pairmill, startPairmill } from '../pipeline/pairmill.ts';
import { contentOf, type RunContent } from '../pipeline/run-content.ts';

/**
 * kill -9 of the whole process group, at named points and at random moments, each followed by the same command. All
 * kills of a test hit one run folder, one after another, as a run with bad luck would.
 */
const CANDIDATES = '300';
const demo = (runDir: string, ...more: string[]): string[] => ['demo', '--no-serve', '--quiet', '--candidates', CANDIDATES, '--run-dir', runDir, ...more];

let base: string;
let unkilled: RunContent;
let seconds: number;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-kills-'));
  const started = performance.now();
  const { code, err } = await pairmill(demo(join(base, 'unkilled')));
  seconds = (performance.now() - started) / 1000;
  expect(code, err).toBe(0);
  unkilled = await contentOf(join(base, 'unkilled'));
}, 300_000);

afterAll(() => rm(base, { recursive: true, force: true }));

/** Between write and rename, rename and marker, marker and what follows; before and after the seal; and the database's own. */
const points = [
  'ingest.leased', // inside the transaction, before COPY
  'ingest.committing', // inside PostgreSQL's commit
  'draw.leased', // rows are marked, no file yet
  ...pipeline.flatMap(({ name }) => ['written', 'renamed', 'unmarked'].map((point) => `${name}.${point}`)),
  'release.sealed',
];

/** In the order in which one run passes them. */
const ordered = pipeline.flatMap(({ name }) => points.filter((point) => point.startsWith(`${name}.`)));

test('at named points', { timeout: 900_000 }, async () => {
  const runDir = join(base, 'named');
  const survived: string[] = [];
  for (const point of ordered) {
    const { signal } = await pairmill(demo(runDir), { PAIRMILL_KILL_AT: point });
    if (signal !== 'SIGKILL') survived.push(point);
  }
  // A point that no run passes tests nothing.
  expect(survived).toEqual([]);
  const { code, err } = await pairmill(demo(runDir));
  expect(code, err).toBe(0);
  expect(await contentOf(runDir)).toEqual(unkilled);
});

test('a redo, killed between the marker that goes and the files', { timeout: 900_000 }, async () => {
  const runDir = join(base, 'redo');
  expect((await pairmill(demo(runDir))).code).toBe(0);
  for (const stage of ['download', 'dedup', 'index']) {
    const point = stage === 'index' ? 'index.written' : `${stage}.unmade`;
    expect((await pairmill(demo(runDir, '--redo', stage), { PAIRMILL_KILL_AT: point })).signal).toBe('SIGKILL');
    // Without the flag: the redo is open until its stage is whole.
    const { code, err } = await pairmill(demo(runDir));
    expect(code, err).toBe(0);
  }
  expect(await contentOf(runDir)).toEqual(unkilled);
});

test('at ten random moments', { timeout: 900_000 }, async () => {
  const runDir = join(base, 'random');
  let atWork = 0;
  for (let kill = 0; kill < 10; kill++) {
    const { child, finished, err } = startPairmill(demo(runDir).filter((argument) => argument !== '--quiet'));
    // From after the start-up on; a tenth of the whole each time on average, so that the kills spread over the stages.
    await untilCrawlIsThere(err, finished);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * seconds * 150));
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL');
    if ((await finished).signal === 'SIGKILL') atWork++;
  }
  expect(atWork).toBeGreaterThanOrEqual(5);
  const { code, err } = await pairmill(demo(runDir));
  expect(code, err).toBe(0);
  expect(await contentOf(runDir)).toEqual(unkilled);
});

test('one worker and two give the same', { timeout: 300_000 }, async () => {
  for (const workers of ['1', '2']) {
    const runDir = join(base, `workers-${workers}`);
    const { code, err } = await pairmill(demo(runDir, '--workers', workers));
    expect(code, err).toBe(0);
    expect(await contentOf(runDir)).toEqual(unkilled);
  }
});

/** The stages begin when the example crawl is there. */
async function untilCrawlIsThere(err: () => string, finished: Promise<unknown>): Promise<void> {
  let ended = false;
  void finished.then(() => (ended = true));
  while (!ended && !err().includes('crawl:')) await new Promise((resolve) => setTimeout(resolve, 20));
}

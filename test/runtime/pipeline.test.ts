import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Stage } from '../../src/contracts/stage.ts';
import { InlineExecutor } from '../../src/runtime/inline-executor.ts';
import { openRun, type PipelineOutcome } from '../../src/runtime/open-run.ts';
import { branchStage, copyStage, sumStage, writeNumbers } from './toy-stages.ts';

let base: string;
beforeEach(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-pipeline-'))));
afterEach(() => rm(base, { recursive: true }));

const three = [copyStage, sumStage, branchStage] as unknown as Stage[];

interface Run extends Omit<PipelineOutcome, 'made'> {
  made: string[];
  notes: string[];
}

async function run(
  shards: Record<string, string>,
  {
    stages = three,
    redo = [] as string[],
    skipFailed = 0,
    acceptChanged = false,
    workers = 2,
    keep = undefined as string[] | undefined,
    reached = (_point: string): void => undefined,
  } = {},
): Promise<Run> {
  const input = await writeNumbers(base, shards);
  const locations = Object.fromEntries(['numbers', 'sums', 'report'].map((name) => [name, join(base, name)]));
  const [made, notes]: string[][] = [[], []];
  const executor = new InlineExecutor(stages, { workers, reached });
  const opened = await openRun(
    {
      stages,
      settings: { location: base, locations, inputs: { extract: input }, options: { extract: { modulo: 3, threads: 1 } }, rejects: 'all', acceptChanged },
      environment: {},
      redo,
      skipFailed,
      keep,
      signal: new AbortController().signal,
      firstPauseMs: 5,
    },
    executor,
    {
      changed: () => undefined,
      finished: (stats, already) => void (already || made!.push(`${stats.stage} ${stats.shard}`)),
      failed: () => undefined,
      note: (line) => void notes!.push(line),
      reached,
    },
  );
  return { ...(await opened.run()), made: made!, notes: notes! };
}
const sumOf = (shard: string): Promise<string> => readFile(join(base, 'sums', `${shard}.sum`), 'utf8');
const report = (): Promise<string> => readFile(join(base, 'report', 'report.txt'), 'utf8');

test('a stage that reads shard by shard goes on while the stage before it still works', async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const slow = {
    ...copyStage,
    run: (async (...args) => (args[0].name === '00001' ? held.then(() => copyStage.run(...args)) : copyStage.run(...args))) as typeof copyStage.run,
  };
  const running = run({ '00000': '1', '00001': '2' }, { stages: [slow, sumStage, branchStage] as unknown as Stage[] });
  await expect.poll(() => sumOf('00000').catch(() => 'not yet')).toBe('1');
  release();
  await running;
  expect([await sumOf('00001'), await report()]).toEqual(['3', '2 numbers, 2 sums']);
});

test('what a killed process has left half written is gone after the next run', async () => {
  await run({ '00000': '1' });
  await writeFile(join(base, 'numbers', '00000_stats.json.b8f91093.tmp'), '{');
  await run({ '00000': '1' });
  expect((await readdir(join(base, 'numbers'))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('a branch of two whole inputs waits for both, and is a folder and a line', async () => {
  const { made } = await run({ '00000': '1', '00001': '2' });
  expect(made.at(-1)).toBe('report 00000');
});

test('a failed shard holds up its lane and what reads the dataset whole, and nothing else; the same command ends as a quiet run', async () => {
  const failed = await run({ '00000': '1', '00001': 'fail', '00002': '4' });
  expect(failed.failed.map(({ stage, shard, message }) => `${stage} ${shard} ${message}`)).toEqual(['extract 00001 extract 00001: the input says fail']);
  expect(failed.waiting).toEqual([
    { stage: 'sum', for: ['extract'] },
    { stage: 'report', for: ['extract'] },
  ]);
  expect(await readdir(join(base, 'numbers'))).toContain('00002.txt');
  const healed = await run({ '00001': '2' });
  expect([healed.failed, await sumOf('00002'), await report()]).toEqual([[], '7', '3 numbers, 3 sums']);
});

test('what depends on a changed shard is made again; what comes before it and what stays the same is not', async () => {
  await run({ '00000': '1', '00001': '2', '00002': '4' });
  const { made } = await run({ '00001': '5' });
  expect(made).toEqual(['extract 00001', 'sum 00001', 'sum 00002', 'report 00000']);
  expect(await sumOf('00002')).toBe('10');
  // 3 is dropped: other input, the same numbers.
  expect((await run({ '00001': '5 3' })).made).toEqual(['extract 00001']);
});

test('a changed input of what can not be had again is refused before anything is changed, with how much depends on it', async () => {
  const stages = [copyStage, { ...sumStage, irreplaceable: true }, branchStage] as unknown as Stage[];
  await run({ '00000': '1', '00001': '2' }, { stages });
  const refused = run({ '00001': '5' }, { stages });
  await expect(refused).rejects.toThrow('sum: shard 00001');
  await expect(refused).rejects.toThrow('1 finished shard of later stages may depend on it');
  expect(await sumOf('00001')).toBe('3');
  expect((await run({}, { stages, acceptChanged: true })).failed).toEqual([]);
  expect((await run({}, { stages, redo: ['sum'] })).made).toContain('sum 00001');
});

test('a skipped shard is empty for every later run', async () => {
  const shards = { '00000': '1', '00001': 'fail', '00002': '4' };
  await run(shards, { skipFailed: 1 });
  expect(await report()).toBe('2 numbers, 2 sums');
  const again = await run(shards);
  expect([again.made, again.failed, await sumOf('00002')]).toEqual([[], [], '5']);
});

test('stopped at every point of the order of writes, the same command ends with the same bytes', async () => {
  const shards = { '00000': '1', '00001': '2', '00002': '4' };
  const points: string[] = [];
  await run(shards, { reached: (point) => void points.push(point) });
  const quiet = await Promise.all(['00000', '00001', '00002'].map(sumOf));
  for (const point of new Set(points)) {
    for (const folder of ['numbers', 'sums', 'report', 'run.json']) await rm(join(base, folder), { recursive: true, force: true });
    let hit = false;
    const stop = (reachedPoint: string): void => {
      if (reachedPoint !== point || hit) return;
      hit = true;
      throw new Error(`stopped at ${point}`);
    };
    await run(shards, { reached: stop, workers: 1 });
    const { failed } = await run(shards);
    expect([point, hit, failed, await Promise.all(['00000', '00001', '00002'].map(sumOf)), await report()]).toEqual([
      point,
      true,
      [],
      quiet,
      '3 numbers, 3 sums',
    ]);
  }
});

test('a swapping stage keeps the old file until the new one is there', async () => {
  await run({ '00000': '1' });
  await writeFile(join(base, 'in', '00001.txt'), '2');
  const seen: string[] = [];
  await run({}, { reached: (point) => void (point === 'report.written' && seen.push(point)) });
  expect([seen, await report()]).toEqual([['report.written'], '2 numbers, 2 sums']);
});

test('--keep removes what nothing needs any more, and it is no loss until it is needed again', async () => {
  const { made } = await run({ '00000': '1', '00001': '2' }, { keep: ['report'] });
  expect([made.length, (await readdir(join(base, 'numbers'))).filter((name) => name.endsWith('.txt'))]).toEqual([5, []]);
  expect((await run({}, { keep: ['report'] })).made).toEqual([]);
  const again = await run({ '00001': '5' }, { keep: ['report'] });
  expect([again.failed, await report()]).toEqual([[], '2 numbers, 2 sums']);
  expect(again.made).toContain('extract 00001');
});

test('a stage alone whose input was removed is refused, and what it has made stays', async () => {
  await run({ '00000': '1', '00001': '2' }, { keep: ['sums', 'report'] });
  await expect(run({}, { stages: [sumStage] as unknown as Stage[], redo: ['sum'] })).rejects.toThrow(
    /^sum reads numbers, of which the files of 1 shard in .* were removed \(--keep\)\. Nothing was changed\./,
  );
  expect(await sumOf('00001')).toBe('3');
});

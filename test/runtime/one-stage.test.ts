import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ShardError, UsageError } from '../../src/contracts/errors.ts';
import type { Reject } from '../../src/contracts/records.ts';
import { readParquetBatches } from '../../src/formats/parquet.ts';
import { readMarker } from '../../src/runtime/marker.ts';
import { LocalStorage } from '../../src/storage/local-storage.ts';
import { rejectsOf, runOneStage, type StageRun, type StageRunSettings } from '../stages/run-one-stage.ts';
import { copyStage, writeNumbers } from './toy-stages.ts';

let base: string;
beforeEach(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-runtime-'))));
afterEach(() => rm(base, { recursive: true }));

async function run(shards: Record<string, string>, options: Record<string, unknown> = {}, more: StageRunSettings = {}): Promise<StageRun> {
  return runOneStage(copyStage, base, options, { input: await writeNumbers(base, shards), workers: 2, mayFail: true, ...more });
}
const output = (name: string): string => join(base, 'numbers', name);
const marker = async (shard: string) => (await readMarker(new LocalStorage(join(base, 'numbers')), shard)) as Record<string, unknown> | undefined;

test('counts reconcile, drops are in rejects/ with value and threshold', async () => {
  const { summary } = await run({ '00000': '1 2 3', '00001': '6 7' });
  expect(summary).toMatchObject({ name: 'extract', in: 5, out: 3, dropped: { 'text-too-short': 2 } });
  expect((await rejectsOf(base, 'extract'))[0]).toEqual({ hash: 3n, url: '3', text: null, reason: 'text-too-short', value: '3', threshold: '3' });
});

test('the marker lists the files with bytes and sha256, and a digest over them', async () => {
  await run({ '00000': '1 2' });
  expect(await marker('00000')).toMatchObject({
    files: [{ name: '00000.txt', bytes: 3, sha256: createHash('sha256').update('1 2').digest('hex') }],
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test('a finished shard is not made again; one without a marker is', async () => {
  const shards = { '00000': '1', '00001': '2' };
  await run(shards);
  await unlink(output('00001_stats.json'));
  const { made, kept, summary } = await run(shards);
  expect([kept, made]).toEqual([['00000'], ['00001']]);
  expect(summary.in).toBe(2);
});

test('other options are refused by name, and nothing is deleted', async () => {
  await run({ '00000': '1 2' });
  const changed = run({ '00000': '1 2' }, { modulo: 2 });
  await expect(changed).rejects.toThrow(UsageError);
  await expect(changed).rejects.toThrow('--modulo was 3, is 2');
  expect(await readFile(output('00000.txt'), 'utf8')).toBe('1 2');
});

test('shards of an earlier format are refused with what has changed since and what the user can do; --accept-changed keeps them', async () => {
  await run({ '00000': '1 2', '00001': '3' });
  const stage = { ...copyStage, format: 4, formatChanges: { 1: 'nothing', 3: 'zeros are kept', 4: 'numbers are rounded' } };
  const later = (more: StageRunSettings = {}) => runOneStage(stage, base, {}, { input: join(base, 'in'), workers: 2, ...more });
  await expect(later()).rejects.toThrow(
    /2 of 2 shards \(first: 00000\) in .* were made by another version of Pairmill: the format was version 1, is 4 \(since 3, zeros are kept; since 4, numbers are rounded\)\. Nothing of extract was changed\. Give --redo extract to make them again, or --accept-changed to keep them\./,
  );
  expect((await later({ acceptChanged: true })).made).toEqual([]);
  expect((await later()).kept).toEqual(['00000', '00001']);
});

test('an option that can not change the result is no other option', async () => {
  await run({ '00000': '1 2' });
  expect((await run({ '00000': '1 2' }, { threads: 7 })).kept).toEqual(['00000']);
});

test('a shard of changed input is made again, and the command says why', async () => {
  await run({ '00000': '1 2', '00001': '5' });
  const { made, notes } = await run({ '00000': '1 4' });
  expect(made).toEqual(['00000']);
  expect(notes).toEqual(['extract 00000 is made again (stale: 00000.txt has changed)']);
  expect(await readFile(output('00000.txt'), 'utf8')).toBe('1 4');
});

test('a stage whose input can not be had again refuses changed input and says what to do; --accept-changed keeps it', async () => {
  const stage = { ...copyStage, irreplaceable: true };
  await run({ '00000': '1 2' });
  const settings = { input: await writeNumbers(base, { '00000': '1 4' }) };
  const changed = runOneStage(stage, base, {}, settings);
  await expect(changed).rejects.toThrow(UsageError);
  await expect(changed).rejects.toThrow(
    'was made from other input: 00000.txt has changed. 0 finished shards of later stages may depend on it. Nothing of extract was changed.',
  );
  expect((await runOneStage(stage, base, {}, { ...settings, acceptChanged: true })).kept).toEqual(['00000']);
  expect((await runOneStage(stage, base, {}, settings)).kept).toEqual(['00000']);
  expect((await runOneStage(stage, base, {}, { ...settings, redo: true })).made).toEqual(['00000']);
});

test('--redo makes it again, and says which options are others', async () => {
  await run({ '00000': '1 2' });
  expect(await run({ '00000': '1 2' }, {}, { redo: true })).toMatchObject({ made: ['00000'], notes: [] });
  const { made, notes } = await run({ '00000': '1 2' }, { modulo: 2 }, { redo: true });
  expect([made, notes]).toEqual([['00000'], ['extract 00000 is made again (redo: --modulo was 3, is 2)']]);
  expect(await readFile(output('00000.txt'), 'utf8')).toBe('1');
});

test('a redo that is stopped goes on without the flag, and ends when the stage is whole', async () => {
  const shards = { '00000': '1', '00001': '2', '00002': '4' };
  await run(shards);
  let passed = 0;
  const stop = (point: string): void => {
    if (point === 'extract.unmade' && ++passed === 2) throw new Error('stopped');
  };
  await run(shards, {}, { redo: true, workers: 1, reached: stop });
  const { made } = await run(shards);
  expect(made.length).toBeGreaterThanOrEqual(1);
  const record = JSON.parse(await readFile(join(base, 'run.json'), 'utf8')) as { redo: object };
  expect(record.redo).toEqual({});
  expect((await run(shards)).made).toEqual([]);
});

test('--accept-changed keeps it, and the marker says so', async () => {
  await run({ '00000': '1 2' });
  expect((await run({ '00000': '1 2' }, { modulo: 2 }, { acceptChanged: true })).kept).toEqual(['00000']);
  expect(await marker('00000')).toMatchObject({ made_by: { options: { modulo: 2 } }, accepted_from: { options: { modulo: 3 } } });
  expect((await run({ '00000': '1 2' }, { modulo: 2 })).kept).toEqual(['00000']);
});

test('a broken shard fails alone; the same command makes it when it is mended', async () => {
  const { failed, summary, made } = await run({ '00000': '1', '00001': 'fail', '00002': '2' });
  expect(failed).toEqual([{ shard: '00001', message: 'extract 00001: the input says fail' }]);
  expect(summary).toMatchObject({ in: 2, out: 2 });
  expect(made.sort()).toEqual(['00000', '00002']);
  expect((await run({ '00001': '7' })).made).toEqual(['00001']);
});

test('a failure that may heal is tried three times, with pauses', async () => {
  const input = await writeNumbers(base, { '00000': '1' });
  const failing = (times: number) => {
    let tries = 0;
    const run: typeof copyStage.run = async (...args) => {
      if (++tries <= times) throw new ShardError('the server answered 503', { heals: true });
      return copyStage.run(...args);
    };
    return { ...copyStage, run };
  };
  expect((await runOneStage(failing(3), base, {}, { input, mayFail: true })).failed).toEqual([{ shard: '00000', message: 'the server answered 503' }]);
  expect((await runOneStage(failing(2), base, {}, { input })).made).toEqual(['00000']);
});

test('--skip-failed marks what fails for good as empty, and every later run agrees', async () => {
  const shards = { '00000': '1', '00001': 'fail', '00002': '2' };
  const { failed, notes } = await run(shards, {}, { skipFailed: 1 });
  expect([failed, notes]).toEqual([[], ['extract 00001 is skipped from now on: extract 00001: the input says fail']]);
  expect((await run(shards)).made).toEqual([]);
  expect(await marker('00001')).toMatchObject({ skipped: { tries: 1 }, in: 0, out: 0 });
  expect((await run({ '00001': '7' }, {}, { redo: true })).made.sort()).toEqual(['00000', '00001', '00002']);
});

test('a shard whose counts do not reconcile fails', async () => {
  const { failed } = await run({ '00000': '1 2 lie' });
  expect(failed[0]!.message).toContain('counts do not reconcile: 3 in, 0 out');
  expect(await readdir(join(base, 'numbers'))).toEqual([]);
});

test('a shard whose input is gone goes too', async () => {
  await run({ '00000': '1', '00001': '2' });
  await unlink(join(base, 'in', '00001.txt'));
  const { notes } = await run({ '00000': '1' });
  expect(notes).toEqual(['extract 00001 is removed: what it was made from is gone']);
  expect((await readdir(join(base, 'numbers'))).sort()).toEqual(['00000.txt', '00000_stats.json', '_sealed.json']);
});

test('a file that does not fit its marker is damage: it is named, and its shard made again', async () => {
  await run({ '00000': '1', '00001': '2' });
  await writeFile(output('00001.txt'), '2 ');
  const { made, notes } = await run({ '00000': '1' });
  expect(made).toEqual(['00001']);
  expect(notes).toEqual(['extract 00001 is made again (damaged: 00001.txt has 2 bytes, and 1 were written)']);
  await unlink(output('00000.txt'));
  expect((await run({ '00000': '1' })).notes).toEqual(['extract 00000 is made again (damaged: 00000.txt is missing)']);
});

test('the seal names the shards, and goes while one is missing', async () => {
  const seal = async () => JSON.parse(await readFile(output('_sealed.json'), 'utf8')) as { shards: Record<string, string> };
  await run({ '00000': '1', '00001': '2' });
  const before = await seal();
  expect(Object.keys(before.shards)).toEqual(['00000', '00001']);
  await run({ '00001': 'fail' });
  await expect(seal()).rejects.toThrow('ENOENT');
  await run({ '00001': '2' });
  expect(await seal()).toEqual(before);
});

test('rejects are a sample of 100 a reason unless all are asked for, the same each time', async () => {
  const numbers = Array.from({ length: 1000 }, (_, i) => String(3 * i));
  const sample = async (words: string[]): Promise<Reject[]> => {
    await rm(base, { recursive: true });
    await run({ '00000': words.join(' ') }, {}, { rejects: 'sample' });
    return rejectsOf(base, 'extract');
  };
  const first = await sample(numbers);
  expect(first).toHaveLength(100);
  expect(await sample(numbers)).toEqual(first);
  // From all over the shard, not its start.
  expect(first.filter((row) => Number(row.url) > 1500).length).toBeGreaterThan(25);
});

test('all rejects are kept in the order of the drops, over row groups; none are left of an earlier making', async () => {
  const numbers = Array.from({ length: 45_000 }, (_, i) => String(i));
  const { summary } = await run({ '00000': numbers.join(' ') }, { modulo: 1 });
  const path = join(base, 'rejects', 'extract', '00000.parquet');
  const groups: Reject[][] = [];
  for await (const batch of readParquetBatches<Reject>(path)) groups.push(batch);
  expect(groups.map(({ length }) => length)).toEqual([20_000, 20_000, 5_000]);
  expect(groups.flat().map(({ url }) => url)).toEqual(numbers);
  expect(summary.dropped).toEqual({ 'text-too-short': 45_000 });
  for (const rejects of ['all', 'sample'] as const) {
    await writeFile(path, 'of an earlier making');
    await run({ '00000': '1 2' }, {}, { redo: true, rejects });
    expect(await readdir(join(base, 'rejects', 'extract'))).toEqual([]);
  }
});

test('a shard that fails leaves nothing half', async () => {
  await run({ '00000': '1 2 3' });
  for (const broken of ['3 6 fail', '3 6 lie']) {
    expect((await run({ '00000': broken }, {}, { redo: true })).failed).toHaveLength(1);
    expect(await readdir(join(base, 'rejects', 'extract'))).toEqual(['00000.parquet']);
    expect(await readdir(join(base, 'numbers'))).toEqual([]);
  }
});

test('a marker that is not ours is refused by name', async () => {
  await run({ '00000': '1' });
  await writeFile(output('00000_stats.json'), '{"count": 1}');
  await expect(run({ '00000': '1' })).rejects.toThrow('was not made by this version');
  await writeFile(output('00000_stats.json'), '{"count": ');
  await expect(run({ '00000': '1' })).rejects.toThrow('00000_stats.json is no JSON');
});

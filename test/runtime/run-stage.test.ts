import { mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UsageError } from '../../src/contracts/errors.ts';
import type { Reject } from '../../src/contracts/records.ts';
import { readParquet, readParquetBatches } from '../../src/formats/parquet.ts';
import { readMarker } from '../../src/runtime/completion.ts';
import { InlineExecutor } from '../../src/runtime/inline-executor.ts';
import { runStage, type StageRunOptions } from '../../src/runtime/run-stage.ts';
import { recordingEvents, toyFolder, toyStage } from './toy-stage.ts';

let base: string;
beforeEach(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-runtime-'))));
afterEach(() => rm(base, { recursive: true }));

const settings: StageRunOptions = { redo: false, acceptChanged: false, rejects: 'all' };

async function run(shards: Record<string, string>, options: object = {}, more: Partial<StageRunOptions> = {}) {
  const events = recordingEvents();
  const folders = await toyFolder(base, shards);
  const executor = new InlineExecutor([toyStage], 2);
  const outcome = await runStage(toyStage, { options: toyStage.options.parse(options), folders }, executor, { ...settings, ...more }, events);
  return { ...outcome, events, folders };
}

test('counts reconcile, drops are in rejects/ with value and threshold', async () => {
  const { summary, folders } = await run({ '00000': '1 2 3', '00001': '6 7' });
  expect(summary).toMatchObject({ name: 'extract', in: 5, out: 3, dropped: { 'text-too-short': 2 } });
  const rejects: Reject[] = [];
  for await (const row of readParquet<Reject>(join(folders.rejects, 'extract', '00000.parquet'))) rejects.push(row);
  expect(rejects).toEqual([{ hash: 3n, url: '3', text: null, reason: 'text-too-short', value: '3', threshold: '3' }]);
});

test('a finished shard is not made again; one without a marker is', async () => {
  const shards = { '00000': '1', '00001': '2' };
  const { folders } = await run(shards);
  await unlink(join(folders.output, '00001_stats.json'));
  const { events, summary } = await run(shards);
  expect([events.kept, events.made]).toEqual([['00000'], ['00001']]);
  expect(summary.in).toBe(2);
});

test('other options are refused by name, and nothing is deleted', async () => {
  await run({ '00000': '1 2' });
  const changed = run({ '00000': '1 2' }, { modulo: 2 });
  await expect(changed).rejects.toThrow(UsageError);
  await expect(changed).rejects.toThrow('--modulo was 3, is 2');
  expect(await readFile(join(base, 'out', '00000.out'), 'utf8')).toBe('1 2');
});

test('an option that can not change the result is no other option', async () => {
  await run({ '00000': '1 2' });
  expect((await run({ '00000': '1 2' }, { threads: 7 })).events.kept).toEqual(['00000']);
});

test('a changed input is refused by name', async () => {
  await run({ '00000': '1 2' });
  await expect(run({ '00000': '1 4' })).rejects.toThrow('input 00000.txt was "1 2", is "1 4"');
});

test('--redo makes it again', async () => {
  await run({ '00000': '1 2' });
  const { events } = await run({ '00000': '1 2' }, { modulo: 2 }, { redo: true });
  expect(events.made).toEqual(['00000']);
  expect(await readFile(join(base, 'out', '00000.out'), 'utf8')).toBe('1');
});

test('--accept-changed keeps it, and the marker says so', async () => {
  await run({ '00000': '1 2' });
  const { events, folders } = await run({ '00000': '1 2' }, { modulo: 2 }, { acceptChanged: true });
  expect(events.kept).toEqual(['00000']);
  const marker = await readMarker(folders.output, '00000');
  expect(marker).toMatchObject({ made_by: { options: { modulo: 2 } }, accepted_from: { options: { modulo: 3 } } });
  expect((await run({ '00000': '1 2' }, { modulo: 2 })).events.kept).toEqual(['00000']);
});

test('a broken shard fails alone', async () => {
  const { failed, summary, events } = await run({ '00000': '1', '00001': 'fail', '00002': '2' });
  expect(failed).toEqual([{ shard: '00001', message: 'extract 00001: the input says fail' }]);
  expect(summary).toMatchObject({ in: 2, out: 2 });
  expect(events.made.sort()).toEqual(['00000', '00002']);
});

test('a shard whose counts do not reconcile fails', async () => {
  const { failed } = await run({ '00000': '1 2 lie' });
  expect(failed[0]!.message).toContain('counts do not reconcile: 3 in, 0 out');
});

test('shards of a larger plan of before are refused', async () => {
  await run({ '00000': '1', '00001': '2' });
  await unlink(join(base, 'in', '00001.txt'));
  await expect(run({ '00000': '1' })).rejects.toThrow('holds 1 shards of extract that this command would not make (first: 00001)');
});

test('rejects are a sample of 100 a reason unless all are asked for, the same each time', async () => {
  const numbers = Array.from({ length: 1000 }, (_, i) => String(3 * i));
  const sample = async (words: string[]): Promise<unknown[]> => {
    await rm(base, { recursive: true });
    const { folders } = await run({ '00000': words.join(' ') }, {}, { rejects: 'sample' });
    const rows: Reject[] = [];
    for await (const row of readParquet<Reject>(join(folders.rejects, 'extract', '00000.parquet'))) rows.push(row);
    return rows;
  };
  const first = await sample(numbers);
  expect(first).toHaveLength(100);
  expect(await sample(numbers)).toEqual(first);
  // From all over the shard, not its start.
  expect(first.filter((row) => Number((row as Reject).url) > 1500).length).toBeGreaterThan(25);
});

test('all rejects are kept in the order of the drops, over row groups; none are left of an earlier making', async () => {
  const numbers = Array.from({ length: 45_000 }, (_, i) => String(i));
  const { folders, summary } = await run({ '00000': numbers.join(' ') }, { modulo: 1 });
  const path = join(folders.rejects, 'extract', '00000.parquet');
  const groups: Reject[][] = [];
  for await (const batch of readParquetBatches<Reject>(path)) groups.push(batch);
  expect(groups.map(({ length }) => length)).toEqual([20_000, 20_000, 5_000]);
  expect(groups.flat().map(({ url }) => url)).toEqual(numbers);
  expect(summary.dropped).toEqual({ 'text-too-short': 45_000 });
  for (const rejects of ['all', 'sample'] as const) {
    await writeFile(path, 'of an earlier making');
    await run({ '00000': '1 2' }, {}, { redo: true, rejects });
    expect(await readdir(join(folders.rejects, 'extract'))).toEqual([]);
  }
});

test('a shard that fails leaves the rejects of an earlier making, and nothing half', async () => {
  const shards = { '00000': '1 2 3' };
  const { folders } = await run(shards);
  const before = await readFile(join(folders.rejects, 'extract', '00000.parquet'));
  // Of a run that was killed in the middle.
  await writeFile(join(folders.rejects, 'extract', '00000.parquet.tmp'), 'half');
  for (const broken of ['3 6 fail', '3 6 lie']) {
    const { failed } = await run({ '00000': broken }, {}, { redo: true });
    expect(failed).toHaveLength(1);
    expect(await readdir(join(folders.rejects, 'extract'))).toEqual(['00000.parquet']);
    expect(await readFile(join(folders.rejects, 'extract', '00000.parquet'))).toEqual(before);
  }
});

test('a marker that is not ours to read is named', async () => {
  const { folders } = await run({ '00000': '1' });
  await writeFile(join(folders.output, '00000_stats.json'), '{"count": 1}');
  await expect(run({ '00000': '1' })).rejects.toThrow('00000_stats.json is not a marker that this version reads');
});

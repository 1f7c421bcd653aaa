import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pair, Release } from '../../../src/contracts/records.ts';
import { parquetColumns, readParquet, writeParquet } from '../../../src/formats/parquet.ts';
import { InlineExecutor } from '../../../src/runtime/inline-executor.ts';
import { stageFolders } from '../../../src/runtime/run-pipeline.ts';
import { runStage, type StageOutcome } from '../../../src/runtime/run-stage.ts';
import { release } from '../../../src/stages/release/release.ts';
import { Reject } from '../../../src/contracts/records.ts';
import { pairRows, writePairsAndTags } from './pair-rows.ts';

let base: string;
beforeAll(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-release-'))));
afterAll(() => rm(base, { recursive: true, force: true }));

async function run(runDir: string, options: Record<string, unknown> = {}): Promise<StageOutcome> {
  const stages = [release];
  const folders = { ...stageFolders(stages, runDir, release), stages: { tag: join(runDir, 'tags') } };
  const events = { progress: () => undefined, finished: () => undefined, failed: () => undefined, reached: () => undefined };
  return runStage(
    release,
    { options: release.options.parse(options), folders },
    new InlineExecutor(stages),
    { redo: true, acceptChanged: false, rejects: 'all' },
    events,
  );
}

async function files(runDir: string): Promise<Record<string, Buffer>> {
  const names = (await readdir(join(runDir, 'release'), { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.isFile() && !entry.name.endsWith('_stats.json'),
  );
  return Object.fromEntries(
    await Promise.all(
      names.map(async (entry) => [join(entry.parentPath, entry.name).slice(runDir.length), await readFile(join(entry.parentPath, entry.name))]),
    ),
  );
}

async function rowsOf(runDir: string, set: string): Promise<Release[]> {
  const rows: Release[] = [];
  for (const name of (await readdir(join(runDir, 'release', set))).sort())
    for await (const row of readParquet<Release>(join(runDir, 'release', set, name))) rows.push(row);
  return rows;
}

const key = (shard: number, i: number): string => String(shard * 10_000 + i).padStart(9, '0');

test('the same samples in other shards under other keys give the same bytes', async () => {
  const [one, two] = [join(base, 'one'), join(base, 'two')];
  await writePairsAndTags(
    one,
    pairRows(500, (i) => key(0, i)),
  );
  await writePairsAndTags(
    two,
    pairRows(500, (i) => key((i * 7) % 3, (i * 13) % 500)),
  );
  const outcome = await run(one, { rowsPerPart: 100 });
  await run(two, { rowsPerPart: 100, memory: 200 });
  expect(outcome.failed).toEqual([]);
  expect(outcome.summary).toMatchObject({ in: 500, out: 500, dropped: {} });
  const [first, second] = [await files(one), await files(two)];
  expect(Object.keys(first).sort()).toEqual(Object.keys(second).sort());
  for (const [name, bytes] of Object.entries(first)) expect(second[name]!.equals(bytes), name).toBe(true);
  expect(Object.keys(first).filter((name) => name.includes('/en/'))).toHaveLength(2);
  expect(Object.keys(first)[0]).not.toContain('.work');
});

test('the sets have the columns of LAION, and the tags', async () => {
  const runDir = join(base, 'one');
  const columns: Record<string, string[]> = {};
  for (const set of ['en', 'multi', 'nolang'])
    columns[set] = await parquetColumns(join(runDir, 'release', set, (await readdir(join(runDir, 'release', set)))[0]!));
  const after = ['NSFW', 'similarity', 'hash', 'pwatermark', 'punsafe', 'page_url', 'is_flag'];
  expect(columns['en']).toEqual(['SAMPLE_ID', 'URL', 'TEXT', 'WIDTH', 'HEIGHT', 'LICENSE', ...after]);
  expect(columns['multi']).toEqual(['SAMPLE_ID', 'URL', 'TEXT', 'WIDTH', 'HEIGHT', 'LICENSE', 'LANGUAGE', ...after]);
  const rows = await rowsOf(runDir, 'multi');
  expect(rows).toHaveLength(200);
  expect(new Set(rows.map(({ LANGUAGE }) => LANGUAGE))).toEqual(new Set(['de', 'zh']));
  const row = rows[0]! as Release & { is_flag: number };
  expect(row).toMatchObject({ SAMPLE_ID: row.hash, punsafe: null, pwatermark: null, is_flag: Math.fround(Number(row.hash & 1023n) / 1023) });
  expect(rows.map(({ hash }) => hash)).not.toEqual(rows.map(({ hash }) => hash).sort((a, b) => (a < b ? -1 : 1)));
});

test('another seed gives another order of the same rows, under other names', async () => {
  const two = join(base, 'seed');
  await cp(join(base, 'one'), two, { recursive: true });
  await run(two, { seed: 2 });
  const [one, other] = [await rowsOf(join(base, 'one'), 'en'), await rowsOf(two, 'en')];
  expect(other.map(({ URL }) => URL)).not.toEqual(one.map(({ URL }) => URL));
  expect(other.map(({ URL }) => URL).sort()).toEqual(one.map(({ URL }) => URL).sort());
  const before = await files(join(base, 'one'));
  expect(Object.keys(await files(two)).filter((name) => name.endsWith('.parquet') && name in before)).toEqual([]);
});

test('statistics and manifest', async () => {
  const read = async (name: string) => JSON.parse(await readFile(join(base, 'one', 'release', name), 'utf8'));
  const statistics = await read('statistics.json');
  expect(statistics.all).toMatchObject({ rows: 500, larger_than: { '256': 0 }, with_licence: 167 });
  expect(statistics.multi.languages).toEqual([
    { language: 'de', rows: 100 },
    { language: 'zh', rows: 100 },
  ]);
  expect(statistics.all.similarity.bins.reduce((sum: number, { rows }: { rows: number }) => sum + rows, 0)).toBe(500);
  expect(statistics.all.tags.punsafe).toMatchObject({ without: 500, bins: [] });
  const manifest = await read('manifest.json');
  expect(manifest).toMatchObject({
    tool: 'pairmill',
    options: { seed: 1, rowsPerPart: 100 },
    made_with: { filter: [{ options: { model: 'mini' }, models: { 'text_model.onnx': 'abc' } }] },
    inputs: { pairs: { rows: 500 }, tags: { rows: 500 } },
  });
  expect(manifest.sets.en.files).toHaveLength(2);
  expect(JSON.stringify(manifest)).not.toContain(base);
});

test('one row of those with one hash stays, whichever comes first; the others are dropped as duplicate', async () => {
  const results: Release[][] = [];
  for (const [name, swapped] of [
    ['ab', false],
    ['ba', true],
  ] as const) {
    const runDir = join(base, name);
    const rows = pairRows(10, (i) => key(0, swapped ? 9 - i : i));
    const twin: Pair = { ...rows[3]!, key: key(1, 0), similarity: Math.fround(0.9) };
    await writePairsAndTags(
      runDir,
      swapped ? [...rows.slice(0, 3), ...rows.slice(4), { ...twin, key: rows[3]!.key }, { ...rows[3]!, key: key(1, 0) }] : [...rows, twin],
    );
    const outcome = await run(runDir);
    expect(outcome.summary).toMatchObject({ in: 11, out: 10, dropped: { duplicate: 1 } });
    const rejects: Reject[] = [];
    for await (const row of readParquet<Reject>(join(runDir, 'rejects', 'release', '00000.parquet'))) rejects.push(row);
    expect(rejects).toMatchObject([{ hash: twin.hash, url: twin.url, reason: 'duplicate', value: 'copy 2' }]);
    results.push([...(await rowsOf(runDir, 'en')), ...(await rowsOf(runDir, 'multi')), ...(await rowsOf(runDir, 'nolang'))]);
  }
  expect(results[0]).toEqual(results[1]);
  expect(results[0]!.some(({ similarity }) => similarity === Math.fround(0.9))).toBe(true);
});

test('pairs that lack a column are refused by name', async () => {
  const runDir = join(base, 'lacking');
  await writePairsAndTags(
    runDir,
    pairRows(3, (i) => key(0, i)),
  );
  await writeParquet(join(runDir, 'pairs', '00000.parquet'), Reject, []);
  await writeFile(join(runDir, 'pairs', '00000_stats.json'), '{}');
  expect((await run(runDir)).failed[0]!.message).toMatch(/no column caption, width, height, similarity/);
});

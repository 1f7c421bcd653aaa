import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { DatasetState } from '../../../src/contracts/dataset.ts';
import { UsageError } from '../../../src/contracts/errors.ts';
import { type Pair, Reject, type Release } from '../../../src/contracts/records.ts';
import { parquetColumns, readParquet } from '../../../src/formats/parquet.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { release } from '../../../src/stages/release/release.ts';
import { allRows, digests, rejectsOf, runOneStage } from '../run-one-stage.ts';
import { pairRow, pairRows, writeFixtureMarker, writePairsAndTags } from './pair-rows.ts';

let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-release-'));
  await writePairsAndTags(
    join(base, 'one'),
    pairRows(500, (i) => key(0, i)),
  );
  await runOneStage(release, join(base, 'one'), { rowsPerPart: 100 });
});
afterAll(() => rm(base, { recursive: true, force: true }));

async function rowsOf<Row = Release>(runDir: string, set: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of (await readdir(join(runDir, 'release', set))).sort())
    for await (const row of readParquet<Row>(join(runDir, 'release', set, name))) rows.push(row);
  return rows;
}

async function columnsOf(runDir: string, set: string): Promise<string[]> {
  return parquetColumns(join(runDir, 'release', set, (await readdir(join(runDir, 'release', set)))[0]!));
}

const readJson = async (...path: string[]) => JSON.parse(await readFile(join(...path), 'utf8'));

const key = (shard: number, i: number): string => String(shard * 10_000 + i).padStart(9, '0');

describe('the same bytes', () => {
  test('whatever the shards, the keys, the order of rows, the memory and the place of the model', async () => {
    const two = join(base, 'two');
    const rows = pairRows(500, (i) => key((i * 7) % 3, (i * 13) % 500));
    await writePairsAndTags(two, rows, { modelFolder: '/another/machine' });
    const outcome = await runOneStage(release, two, { rowsPerPart: 100, memory: 200 });
    expect(outcome.summary).toMatchObject({ in: 500, out: 500, dropped: {} });
    const [first, second] = [await digests(join(base, 'one', 'release')), await digests(join(two, 'release'))];
    expect(second).toEqual(first);
    expect(Object.keys(first).filter((name) => name.includes('/en/'))).toHaveLength(2);
  });

  test('made again, nothing moves and the digest is the same', async () => {
    const runDir = join(base, 'again');
    await cp(join(base, 'one'), runDir, { recursive: true });
    const [before] = (await runOneStage(release, runDir, { rowsPerPart: 100 })).shards;
    const after = await runOneStage(release, runDir, { rowsPerPart: 100 }, { redo: true });
    expect(after.made).toEqual(['00000']);
    expect(after.shards[0]!.digest).toBe(before!.digest);
    expect(await digests(join(runDir, 'release'))).toEqual(await digests(join(base, 'one', 'release')));
  });

  test('the marker lists each file with its bytes', async () => {
    const folder = join(base, 'one', 'release');
    const { files, out } = await readJson(folder, '00000_stats.json');
    expect(out).toBe(500);
    expect(files.map(({ name }: { name: string }) => `/${name}`)).toEqual(Object.keys(await digests(folder)).sort());
    for (const { name, bytes } of files) expect((await stat(join(folder, name))).size).toBe(bytes);
  });
});

describe('the files', () => {
  test('the sets have the columns of LAION, and the tags', async () => {
    const runDir = join(base, 'one');
    const after = ['NSFW', 'similarity', 'hash', 'pwatermark', 'punsafe', 'page_url', 'is_flag'];
    expect(await columnsOf(runDir, 'en')).toEqual(['SAMPLE_ID', 'URL', 'TEXT', 'WIDTH', 'HEIGHT', 'LICENSE', ...after]);
    expect(await columnsOf(runDir, 'multi')).toEqual(['SAMPLE_ID', 'URL', 'TEXT', 'WIDTH', 'HEIGHT', 'LICENSE', 'LANGUAGE', ...after]);
    const rows = await rowsOf(runDir, 'multi');
    expect(rows).toHaveLength(200);
    expect(new Set(rows.map(({ LANGUAGE }) => LANGUAGE))).toEqual(new Set(['de', 'zh']));
    const row = rows[0]! as Release & { is_flag: number };
    expect(row).toMatchObject({ SAMPLE_ID: row.hash, punsafe: null, pwatermark: null, is_flag: Math.fround(Number(row.hash & 1023n) / 1023) });
    expect(rows.map(({ hash }) => hash)).not.toEqual(rows.map(({ hash }) => hash).sort((a, b) => (a < b ? -1 : 1)));
  });

  test('another seed gives another order of the same rows, under other names; the files of the first are gone then', async () => {
    const two = join(base, 'seed');
    await cp(join(base, 'one'), two, { recursive: true });
    await runOneStage(release, two, { rowsPerPart: 100, seed: 2 }, { redo: true });
    const [one, other] = [await rowsOf(join(base, 'one'), 'en'), await rowsOf(two, 'en')];
    expect(other.map(({ URL }) => URL)).not.toEqual(one.map(({ URL }) => URL));
    expect(other.map(({ URL }) => URL).sort()).toEqual(one.map(({ URL }) => URL).sort());
    const before = await digests(join(base, 'one', 'release'));
    const after = Object.keys(await digests(join(two, 'release')));
    expect(after.filter((name) => name.endsWith('.parquet') && name in before)).toEqual([]);
    expect(after).toHaveLength(Object.keys(before).length);
  });

  test('statistics and manifest', async () => {
    const folder = join(base, 'one', 'release');
    const statistics = await readJson(folder, 'statistics.json');
    expect(statistics.all).toMatchObject({ rows: 500, larger_than: { '256': 0 }, with_licence: 167 });
    expect(statistics.multi.languages).toEqual([
      { language: 'de', rows: 100 },
      { language: 'zh', rows: 100 },
    ]);
    expect(statistics.all.similarity.bins.reduce((sum: number, { rows }: { rows: number }) => sum + rows, 0)).toBe(500);
    expect(statistics.all.tags.punsafe).toMatchObject({ without: 500, bins: [] });
    const manifest = await readJson(folder, 'manifest.json');
    expect(manifest).toMatchObject({
      tool: 'pairmill',
      options: { seed: 1, rowsPerPart: 100, columns: [] },
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
      const outcome = await runOneStage(release, runDir);
      expect(outcome.summary).toMatchObject({ in: 11, out: 10, dropped: { duplicate: 1 } });
      expect(await rejectsOf(runDir, 'release')).toMatchObject([{ hash: twin.hash, url: twin.url, reason: 'duplicate', value: 'copy 2' }]);
      results.push([...(await rowsOf(runDir, 'en')), ...(await rowsOf(runDir, 'multi')), ...(await rowsOf(runDir, 'nolang'))]);
    }
    expect(results[0]).toEqual(results[1]);
    expect(results[0]!.some(({ similarity }) => similarity === Math.fround(0.9))).toBe(true);
  });
});

describe('further columns of the pairs', () => {
  const further = {
    types: { words: z.int32(), source: z.string().nullable(), WIDTH: z.int32(), id64: z.int64() },
    values: ({ caption, width }: Pair) => ({ words: caption.split(' ').length, source: null, WIDTH: 10 * width!, id64: 2n ** 60n }),
  };

  test('those that --columns names come last, in its order, with their types', async () => {
    const runDir = join(base, 'columns');
    await writePairsAndTags(
      runDir,
      pairRows(20, (i) => key(i % 2, i)),
      { further },
    );
    await runOneStage(release, runDir, { columns: ['words', 'uid', 'id64', 'source'] });
    expect((await columnsOf(runDir, 'en')).slice(-6)).toEqual(['page_url', 'is_flag', 'words', 'uid', 'id64', 'source']);
    const [row] = await rowsOf<Record<string, unknown>>(runDir, 'en');
    expect(row).toMatchObject({ words: 3, id64: 2n ** 60n, source: null });
  });

  test('one that is called as ours but for capitals is not taken for it, in no order of shards', async () => {
    const [with_, without] = [join(base, 'capitals'), join(base, 'no-capitals')];
    const rows = pairRows(20, (i) => key(i % 2, i));
    await writePairsAndTags(without, rows);
    await writePairsAndTags(with_, rows, { further });
    // One shard has the user's columns, first in the file; the other has none.
    await cp(join(without, 'pairs', '00001.parquet'), join(with_, 'pairs', '00001.parquet'));
    for (const runDir of [with_, without]) await runOneStage(release, runDir);
    expect(await rowsOf(with_, 'en')).toEqual(await rowsOf(without, 'en'));
  });

  test('a column that not all shards have is null where it is missing; one of two types is text', async () => {
    const runDir = join(base, 'mixed');
    const types: Record<string, z.ZodType>[] = [{ note: z.int32() }, { note: z.string() }, {}];
    const pairs = (i: number): Pair[] => [pairRow({ url: `http://h.test/${i}`, caption: 'a', key: key(i, 0) })];
    await writePairsAndTags(runDir, [0, 1, 2].flatMap(pairs));
    for (const [i, type] of types.entries()) {
      const other = join(base, `mixed-${i}`);
      await writePairsAndTags(other, pairs(i), { further: { types: type, values: () => ({ note: i === 0 ? 7 : 'seven' }) } });
      await cp(join(other, 'pairs', `0000${i}.parquet`), join(runDir, 'pairs', `0000${i}.parquet`));
    }
    await runOneStage(release, runDir, { columns: ['note'] });
    const notes = (await rowsOf<Release & { note: string | null }>(runDir, 'en')).map(({ URL, note }) => [URL, note]).sort();
    expect(notes).toEqual([
      ['http://h.test/0', '7'],
      ['http://h.test/1', 'seven'],
      ['http://h.test/2', null],
    ]);
  });

  test.each([
    { columns: ['word'], message: /--columns word: that column is not in the pairs\. Those that --columns may name are .*words.*source.*uid/ },
    { columns: ['key'], message: /--columns key: that column is in the release already, or is no part of one/ },
    { columns: ['url'], message: /--columns url: that column is in the release already/ },
    { columns: ['WIDTH'], message: /--columns WIDTH: that column is in the release already/ },
  ])('$columns is refused, and what there is is said', async ({ columns, message }) => {
    const runDir = join(base, 'refused');
    await writePairsAndTags(
      runDir,
      pairRows(2, (i) => key(0, i)),
      { further },
    );
    await expect(runOneStage(release, runDir, { columns })).rejects.toThrow(message);
  });
});

describe('the plan', () => {
  const state = (sealed: boolean, ...names: string[]): DatasetState => ({
    sealed,
    shards: names.map((name) => ({ name, digest: `d${name}`, files: [`${name}.parquet`] })),
  });
  const plan = (datasets: Record<string, DatasetState>, options: Record<string, unknown> = {}) =>
    release.plan({
      options: release.options.parse(options),
      input: undefined,
      datasets,
      own: state(false),
      recorded: new Map(),
      environment: {},
      runLocation: '/run',
    });

  test('waits until pairs and tags are whole', async () => {
    expect(await plan({ pairs: state(false, '00000') })).toEqual({ shards: [], complete: false });
    expect(await plan({ pairs: state(true, '00000'), tags: state(false, '00000') })).toEqual({ shards: [], complete: false });
  });

  test('is one shard of all pairs and tags, known by their digests', async () => {
    const { shards, complete } = await plan({ pairs: state(true, '00000', '00002'), tags: state(true, '00000') });
    expect(complete).toBe(true);
    expect(shards).toMatchObject([{ name: '00000', work: { pairs: { shards: ['00000', '00002'] }, tags: { shards: ['00000'] } } }]);
    expect(shards[0]!.inputs.map(({ name }) => name)).toEqual(['pairs', 'tags', 'what pairs and tags were made with']);
  });

  test('a run without tags is released too; --tags without any is refused', async () => {
    expect((await plan({ pairs: state(true, '00000') })).shards).toHaveLength(1);
    await expect(async () => plan({ pairs: state(true, '00000') }, { tags: '/empty' })).rejects.toThrow(UsageError);
  });
});

test("LAION's own tag files: prediction is punsafe, pwatermark keeps its name; of a tag file of ours prediction is a head like any other", async () => {
  const runDir = join(base, 'laion-tags');
  const pairs = pairRows(20, (i) => key(0, i));
  await writePairsAndTags(runDir, pairs);
  const folder = join(base, 'of-laion');
  await mkdir(folder);
  const Safety = z.object({ prediction: z.float32(), hash: z.int64(), url: z.string() });
  const Watermark = z.object({ pwatermark: z.float32(), hash: z.int64() });
  await writeParquet(
    join(folder, '00000.parquet'),
    Safety,
    pairs.map(({ hash, url }, i) => ({ prediction: i / 32, hash, url })),
  );
  await writeParquet(
    join(folder, '00001.parquet'),
    Watermark,
    pairs.slice(5).map(({ hash }) => ({ pwatermark: 0.75, hash })),
  );
  await runOneStage(release, runDir, { tags: folder });
  const rows = await allRows<Release>(join(runDir, 'release'));
  const byHash = new Map(rows.map((row) => [row.hash, row]));
  for (const [i, { hash }] of pairs.entries()) expect(byHash.get(hash)).toMatchObject({ punsafe: i / 32, pwatermark: i < 5 ? null : 0.75 });
  expect(Object.keys(rows[0]!)).not.toContain('prediction');

  await writeFixtureMarker(folder, 'tag', '00000', { out: 20, files: ['00000.parquet'], options: {}, models: {} });
  await runOneStage(release, runDir, { tags: folder }, { redo: true });
  expect((await allRows<Release & { prediction: number }>(join(runDir, 'release'))).every((row) => row.punsafe === null && row.prediction !== null)).toBe(true);
});

test('tags lie in another folder where --tags names one', async () => {
  const runDir = join(base, 'elsewhere');
  await writePairsAndTags(
    runDir,
    pairRows(5, (i) => key(0, i)),
  );
  await cp(join(runDir, 'tags'), join(base, 'other-tags'), { recursive: true });
  await rm(join(runDir, 'tags'), { recursive: true });
  await runOneStage(release, runDir);
  expect(await columnsOf(runDir, 'en')).not.toContain('is_flag');
  await runOneStage(release, runDir, { tags: join(base, 'other-tags') });
  expect(await columnsOf(runDir, 'en')).toContain('is_flag');
});

test('pairs of another tool, without markers, are released too', async () => {
  const runDir = join(base, 'unmarked');
  await cp(join(base, 'one'), runDir, { recursive: true });
  for (const folder of ['pairs', 'tags']) await rm(join(runDir, folder, '00000_stats.json'));
  await rm(join(runDir, 'release'), { recursive: true });
  expect((await runOneStage(release, runDir)).summary).toMatchObject({ in: 500, out: 500 });
  expect((await readJson(runDir, 'release', 'manifest.json')).made_with).toEqual({ filter: [], tag: [] });
});

test('pairs that lack a column are refused by name', async () => {
  const runDir = join(base, 'lacking');
  await writePairsAndTags(
    runDir,
    pairRows(3, (i) => key(0, i)),
  );
  await writeParquet(join(runDir, 'pairs', '00000.parquet'), Reject, []);
  await writeFile(join(runDir, 'pairs', '00000_stats.json'), '{}');
  await expect(runOneStage(release, runDir)).rejects.toThrow(/no column caption, width, height, similarity/);
});

describe('swapped by its manifest', () => {
  /** Stops the redo with another seed at a point; afterwards the old manifest must still be true, or the new one. */
  test.each(['release.written', 'release.renamed', 'release.unmarked', 'release.marked'])(
    'killed at %s, all that the manifest names is there; then the same command ends as a quiet run',
    async (point) => {
      const runDir = join(base, `killed-${point}`);
      await cp(join(base, 'one'), runDir, { recursive: true });
      const reached = (each: string): void => {
        if (each === point) throw new Error('killed');
      };
      const again = { rowsPerPart: 100, seed: 2 };
      await runOneStage(release, runDir, again, { redo: true, reached, mayFail: true });
      const manifest = await readJson(runDir, 'release', 'manifest.json');
      const named = Object.values<{ files: { path: string }[] }>(manifest.sets).flatMap(({ files }) => files.map(({ path }) => path));
      for (const path of named) expect((await stat(join(runDir, 'release', path))).size).toBeGreaterThan(0);
      await runOneStage(release, runDir, again);
      expect(await digests(join(runDir, 'release'))).toEqual(await digests(join(base, 'seed', 'release')));
    },
  );
});

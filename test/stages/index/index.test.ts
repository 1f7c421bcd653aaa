import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { DatasetState } from '../../../src/contracts/dataset.ts';
import type { IndexDescription } from '../../../src/contracts/index-description.ts';
import type { Pair, Release } from '../../../src/contracts/records.ts';
import type { SearchResponse } from '../../../src/contracts/search-api.ts';
import { readParquet } from '../../../src/formats/parquet.ts';
import { openIndex } from '../../../src/knn/open-index.ts';
import { serveOptions } from '../../../src/server/options.ts';
import { startServer } from '../../../src/server/start-server.ts';
import { index } from '../../../src/stages/index/index.ts';
import { release } from '../../../src/stages/release/release.ts';
import { pairRows, writePairsAndTags } from '../release/pair-rows.ts';
import { DIMENSIONS, vectorOf, writeEmbeddings } from './embedding-rows.ts';
import { rejectsOf, runOneStage, type StageRun, type StageRunSettings } from '../run-one-stage.ts';

let base: string;
beforeAll(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-index-'))));
afterAll(() => rm(base, { recursive: true, force: true }));

/** Release and index of what lies in the run. */
async function build(runDir: string, options: Record<string, unknown> = {}, settings: StageRunSettings = {}): Promise<StageRun> {
  await runOneStage(release, runDir, {}, { redo: true });
  return runOneStage(index, runDir, options, settings);
}

const readDescription = async (runDir: string): Promise<IndexDescription> => JSON.parse(await readFile(join(runDir, 'index', 'index.json'), 'utf8'));

const key = (shard: number, i: number): string => String(shard * 10_000 + i).padStart(9, '0');

test('the index holds exactly the rows of the release, in its order, under the keys of the pairs', async () => {
  const runDir = join(base, 'run');
  const rows = pairRows(120, (i) => key(i % 3, i));
  // Twice in pairs and embeddings, once in the release.
  const twin = { ...rows[5]!, key: key(2, 500) };
  await writePairsAndTags(runDir, [...rows, twin]);
  await writeEmbeddings(runDir, [...rows, twin]);
  const { summary, shards } = await build(runDir);
  expect(summary).toMatchObject({ in: 120, out: 120, dropped: {} });
  expect(Object.keys(shards[0]!.made_by.inputs)).toEqual(['embeddings', 'release']);
  const opened = await openIndex(join(runDir, 'index'));
  const manifest = JSON.parse(await readFile(join(runDir, 'release', 'manifest.json'), 'utf8'));
  let id = 0;
  for (const set of ['en', 'multi', 'nolang']) {
    for (const { path } of manifest.sets[set].files) {
      for await (const row of readParquet<Release & { is_flag: number }>(join(runDir, 'release', path))) {
        const [sample] = await opened.samples([id]);
        const pair = rows.find(({ hash }) => hash === row.hash)!;
        expect(sample).toMatchObject({
          id,
          hash: row.hash,
          url: row.URL,
          caption: row.TEXT,
          language: pair.language,
          width: row.WIDTH,
          height: row.HEIGHT,
          similarity: row.similarity,
          tags: { is_flag: row.is_flag, punsafe: null },
        });
        expect([pair.key, twin.key]).toContain(sample!.key);
        expect([...opened.vector(id, 'text')]).toEqual([...Float16Array.from(vectorOf(row.hash, 1))]);
        id++;
      }
    }
  }
  expect(id).toBe(120);
  const [best] = await opened.search(vectorOf(rows[7]!.hash, 0), { k: 1, modality: 'image' });
  expect((await opened.samples([best!.id]))[0]!.hash).toBe(rows[7]!.hash);
  expect(opened.description).toMatchObject({
    model: { id: 'mini', sha256: { 'mini/a_file.onnx': 'abc' } },
    dimensions: DIMENSIONS,
    rows: 120,
    heads: ['is_flag', 'punsafe', 'pwatermark'],
    vectors: { image: { kind: 'flat' }, text: { kind: 'flat' } },
  });
  expect(opened.description.languages.slice(0, 2)).toEqual([
    { language: 'en', rows: 48 },
    { language: '', rows: 24 },
  ]);
  await opened.close();
});

test('a released row without an embedding is dropped by name', async () => {
  const runDir = join(base, 'lacking');
  const rows = pairRows(20, (i) => key(0, i));
  await writePairsAndTags(runDir, rows);
  await writeEmbeddings(runDir, rows.slice(1));
  expect((await build(runDir)).summary).toMatchObject({ in: 20, out: 19, dropped: { 'no-embedding': 1 } });
  expect(await rejectsOf(runDir, 'index')).toMatchObject([{ hash: rows[0]!.hash, url: rows[0]!.url, reason: 'no-embedding' }]);
});

test('above --flat-below lists are built and recall is reported', async () => {
  const runDir = join(base, 'run');
  await build(runDir, { flatBelow: 100, lists: 4, recallQueries: 20 }, { redo: true });
  const description = await readDescription(runDir);
  expect(description.vectors.image).toMatchObject({ kind: 'ivf_rq', lists: 4, recall: { queries: 20, at_10: { mean: expect.any(Number) as number } } });
  const opened = await openIndex(join(runDir, 'index'));
  let rows = 0;
  for await (const _ of opened.rows('image')) rows++;
  expect(rows).toBe(120);
  await opened.close();
});

test('embeddings of two models are refused', async () => {
  const runDir = join(base, 'two-models');
  const rows = pairRows(20, (i) => key(i % 2, i));
  await writePairsAndTags(runDir, rows);
  await writeEmbeddings(runDir, rows);
  const path = join(runDir, 'embeddings', '00001_stats.json');
  await writeFile(path, (await readFile(path, 'utf8')).replace('"mini"', '"other"'));
  await expect(build(runDir)).rejects.toThrow(/several models \(mini, other\)/);
});

test('embeddings and release of other tools, without markers, are indexed; without --model the model stays unknown', async () => {
  const runDir = join(base, 'unmarked');
  const rows = pairRows(20, (i) => key(i % 2, i));
  await writePairsAndTags(runDir, rows);
  await writeEmbeddings(runDir, rows);
  await build(runDir);
  for (const file of ['embeddings/00000_stats.json', 'embeddings/00001_stats.json', 'release/00000_stats.json', 'release/manifest.json'])
    await rm(join(runDir, file));
  await rm(join(runDir, 'index'), { recursive: true });
  const [unnamed] = (await runOneStage(index, runDir)).shards;
  expect(unnamed!.warnings).toEqual([expect.stringMatching(/do not say which model.*--model/)]);
  await rm(join(runDir, 'index'), { recursive: true });
  await expect(runOneStage(index, runDir, { model: 'mini' })).rejects.toThrow(
    /The model mini makes vectors of 256 values, and those of the embeddings have 16\. .*--model/,
  );
});

test('numbers with a fraction that --columns carried can narrow a search; the other columns come with the results', async () => {
  const runDir = join(base, 'columns');
  const rows = pairRows(10, (i) => key(0, i));
  const further = { types: { source: z.string(), Width: z.float32() }, values: ({ width }: Pair) => ({ source: 'mine', Width: width! / 2, confidence: 0.5 }) };
  await writePairsAndTags(runDir, rows, { further: { ...further, types: { ...further.types, confidence: z.float32() } } });
  await writeEmbeddings(
    runDir,
    rows.map((row) => ({ ...row, ...further.values(row), note: null })),
    { ...further.types, confidence: z.float32(), note: z.string().nullable() },
  );
  await runOneStage(release, runDir, { columns: ['source', 'confidence'] });
  await runOneStage(index, runDir);
  const opened = await openIndex(join(runDir, 'index'));
  expect(opened.description.heads).toEqual(['confidence', 'is_flag', 'punsafe', 'pwatermark']);
  const [sample] = await opened.samples([0]);
  expect(sample!.tags).toMatchObject({ confidence: 0.5 });
  // What the release leaves out comes from the metadata of the embeddings.
  expect(sample!.further).toEqual({ source: 'mine', Width: sample!.width! / 2, note: null });
  expect(await opened.search(vectorOf(rows[0]!.hash, 0), { k: 5, modality: 'image', predicate: { minTags: { confidence: 0.6 } } })).toEqual([]);
  await opened.close();
});

describe('built again', () => {
  test('it waits until embeddings and release are whole', async () => {
    const state = (sealed: boolean): DatasetState => ({ sealed, shards: [] });
    for (const [embeddings, released] of [
      [true, false],
      [false, true],
    ] as const) {
      const datasets = { embeddings: state(embeddings), release: state(released) };
      const plan = await index.plan({
        options: index.options.parse({}),
        input: undefined,
        datasets,
        own: state(false),
        recorded: new Map(),
        environment: {},
        runLocation: '/run',
      });
      expect(plan).toEqual({ shards: [], complete: false });
    }
  });

  test('when the release has changed; when not, it stays', async () => {
    const runDir = join(base, 'again');
    const rows = pairRows(30, (i) => key(0, i));
    await writePairsAndTags(runDir, rows);
    await writeEmbeddings(runDir, rows);
    expect((await build(runDir)).made).toEqual(['00000']);
    expect((await build(runDir)).made).toEqual([]);
    await writePairsAndTags(runDir, rows.slice(0, 20));
    expect((await build(runDir)).summary).toMatchObject({ in: 20, out: 20 });
    expect((await readDescription(runDir)).folder).toBe('00000-2');
    expect((await readdir(join(runDir, 'index'))).sort()).toEqual(['00000-2', '00000_stats.json', '_sealed.json', 'index.json']);
  });

  test.each(['index.written', 'index.renamed', 'index.unmarked', 'index.marked'])(
    'killed at %s, index.json names an index that is there; the same command goes on',
    async (point) => {
      const runDir = join(base, `killed-${point}`);
      await cp(join(base, 'again'), runDir, { recursive: true });
      const reached = (each: string): void => {
        if (each === point) throw new Error('killed');
      };
      await runOneStage(index, runDir, {}, { redo: true, reached, mayFail: true });
      for (const last of [false, true]) {
        const opened = await openIndex(join(runDir, 'index'));
        expect(await opened.samples([0, 19, 20])).toHaveLength(2);
        await opened.close();
        if (!last) await runOneStage(index, runDir);
      }
      expect((await readdir(join(runDir, 'index'))).sort()).toEqual([(await readDescription(runDir)).folder, '00000_stats.json', '_sealed.json', 'index.json']);
    },
  );

  test('under a running serve: no search fails, and those afterwards are answered by the new one', { timeout: 60_000 }, async () => {
    const runDir = join(base, 'served');
    const rows = pairRows(60, (i) => key(0, i));
    await writePairsAndTags(runDir, rows);
    await writeEmbeddings(runDir, rows);
    await build(runDir);
    const server = await startServer(serveOptions.parse({ input: runDir, port: 0 }));
    const search = async (): Promise<{ status: number; hashes: string[] }> => {
      const response = await fetch(`${server.url}/api/v1/search?like=${rows[0]!.hash}&k=100`);
      const { results = [] } = (await response.json()) as Partial<SearchResponse>;
      return { status: response.status, hashes: results.map(({ hash }) => hash) };
    };
    let building = true;
    const statuses: number[] = [];
    const searching = async (): Promise<void> => {
      while (building) statuses.push((await search()).status);
    };
    const searches = [searching(), searching()];
    try {
      for (const left of [50, 40]) {
        await writePairsAndTags(runDir, rows.slice(0, left));
        await build(runDir, {}, { redo: true });
        expect((await search()).hashes.sort()).toEqual(
          rows
            .slice(0, left)
            .map(({ hash }) => String(hash))
            .sort(),
        );
      }
    } finally {
      building = false;
      await Promise.all(searches);
      await server.close();
    }
    expect(statuses.length).toBeGreaterThan(20);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
  });
});

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { IndexDescription } from '../../../src/contracts/index-description.ts';
import { EmbeddingMetadata, type Pair, Reject, type Release } from '../../../src/contracts/records.ts';
import { NpyWriter } from '../../../src/formats/npy.ts';
import { readParquet, writeParquet } from '../../../src/formats/parquet.ts';
import { openIndex } from '../../../src/knn/open-index.ts';
import { InlineExecutor } from '../../../src/runtime/inline-executor.ts';
import { stageFolders } from '../../../src/runtime/run-pipeline.ts';
import { runStage, type StageOutcome } from '../../../src/runtime/run-stage.ts';
import { index } from '../../../src/stages/index/index.ts';
import { release } from '../../../src/stages/release/release.ts';
import { pairRows, writePairsAndTags } from '../release/pair-rows.ts';

const DIMENSIONS = 16;
const stages = [release, index];
let base: string;
beforeAll(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-index-'))));
afterAll(() => rm(base, { recursive: true, force: true }));

/** A vector that is the sample's own. */
function vectorOf(hash: bigint, salt: number): Float32Array {
  const values = Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(Number((hash >> BigInt(3 * i)) & 0xffffn) + salt));
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

async function writeEmbeddings(runDir: string, rows: readonly Pair[]): Promise<void> {
  const folder = join(runDir, 'embeddings');
  for (const kind of ['img_emb', 'text_emb', 'metadata']) await mkdir(join(folder, kind), { recursive: true });
  for (const part of new Set(rows.map(({ key }) => key.slice(0, 5)))) {
    const own = rows.filter(({ key }) => key.startsWith(part));
    for (const [kind, salt] of [
      ['img_emb', 0],
      ['text_emb', 1],
    ] as const) {
      const writer = await NpyWriter.open(join(folder, kind, `${kind}_${part}.npy`), DIMENSIONS, '<f2');
      for (const { hash } of own) await writer.writeRow(vectorOf(hash, salt));
      await writer.close();
    }
    await writeParquet(
      join(folder, 'metadata', `metadata_${part}.parquet`),
      EmbeddingMetadata,
      own.map((row) => ({ image_path: row.key, ...row })),
    );
    await writeFile(
      join(folder, `${part}_stats.json`),
      JSON.stringify({
        stage: 'embed',
        shard: part,
        in: own.length,
        out: own.length,
        dropped: {},
        duration: 1,
        start_time: 1,
        end_time: 2,
        fingerprint: `e${part}`,
        made_by: { format: 1, options: { model: 'mini' }, models: { 'mini/text_model.onnx': 'abc' }, inputs: {} },
      }),
    );
  }
}

async function run(runDir: string, options: Record<string, unknown> = {}): Promise<StageOutcome> {
  const events = { progress: () => undefined, finished: () => undefined, failed: () => undefined, reached: () => undefined };
  const settings = { redo: true, acceptChanged: false, rejects: 'all' as const };
  const folders = { ...stageFolders(stages, runDir, release), stages: { tag: join(runDir, 'tags') } };
  await runStage(release, { options: release.options.parse({}), folders }, new InlineExecutor(stages), settings, events);
  return runStage(index, { options: index.options.parse(options), folders: stageFolders(stages, runDir, index) }, new InlineExecutor(stages), settings, events);
}

const key = (shard: number, i: number): string => String(shard * 10_000 + i).padStart(9, '0');

test('the index holds exactly the rows of the release, in its order, under the keys of the pairs', async () => {
  const runDir = join(base, 'run');
  const rows = pairRows(120, (i) => key(i % 3, i));
  // Twice in pairs and embeddings, once in the release.
  const twin = { ...rows[5]!, key: key(2, 500) };
  await writePairsAndTags(runDir, [...rows, twin]);
  await writeEmbeddings(runDir, [...rows, twin]);
  const outcome = await run(runDir);
  expect(outcome).toMatchObject({ failed: [], summary: { in: 120, out: 120, dropped: {} } });
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
    model: { id: 'mini', sha256: { 'mini/text_model.onnx': 'abc' } },
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
  const outcome = await run(runDir);
  expect(outcome).toMatchObject({ failed: [], summary: { in: 20, out: 19, dropped: { 'no-embedding': 1 } } });
  const rejects: Reject[] = [];
  for await (const row of readParquet<Reject>(join(runDir, 'rejects', 'index', '00000.parquet'))) rejects.push(row);
  expect(rejects).toMatchObject([{ hash: rows[0]!.hash, url: rows[0]!.url, reason: 'no-embedding' }]);
});

test('above --flat-below lists are built and recall is reported', async () => {
  const runDir = join(base, 'run');
  const outcome = await run(runDir, { flatBelow: 100, lists: 4, recallQueries: 20 });
  expect(outcome.failed).toEqual([]);
  const description = JSON.parse(await readFile(join(runDir, 'index', 'index.json'), 'utf8')) as IndexDescription;
  expect(description.vectors.image).toMatchObject({ kind: 'ivf_rq', lists: 4, recall: { queries: 20, at_10: { mean: expect.any(Number) as number } } });
  const opened = await openIndex(join(runDir, 'index'));
  let rows = 0;
  for await (const _ of opened.rows('image')) rows++;
  expect(rows).toBe(120);
  await opened.close();
});

test('embeddings of two models are refused', async () => {
  const runDir = join(base, 'lacking');
  const path = join(runDir, 'embeddings', '00000_stats.json');
  const marker = await readFile(path, 'utf8');
  await writeFile(join(runDir, 'embeddings', '00001_stats.json'), marker.replace('"mini"', '"other"'));
  expect((await run(runDir)).failed[0]!.message).toMatch(/several models \(mini, other\)/);
});

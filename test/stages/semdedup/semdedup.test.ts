import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { SemanticDuplicate } from '../../../src/contracts/records.ts';
import { readNpy } from '../../../src/formats/npy.ts';
import { NpyWriter } from '../../../src/formats/npy-writer.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { normalise } from '../../../src/models/vectors.ts';
import type { Curve } from '../../../src/stages/semdedup/curve.ts';
import { orderByHash, seededRows } from '../../../src/stages/semdedup/embedding-rows.ts';
import { semdedup } from '../../../src/stages/semdedup/semdedup.ts';
import { vectorsInOrder } from '../../../src/stages/semdedup/vectors-in-order.ts';
import { pairmill } from '../../pipeline/pairmill.ts';
import { randomSource } from '../../random-source.ts';
import { allRows, digests, rejectsOf, runOneStage } from '../run-one-stage.ts';

const DIMENSIONS = 32;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'semdedup-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

interface Row {
  url: string;
  vector: Float32Array;
}

const hashOf = ({ url }: Row): bigint => sampleHash(url, 'a caption');

/** Vectors around twelve centres; every fifth is nearly the same as the one before it, and so may be the one after it. */
function someRows(n: number, { chains = false } = {}): Row[] {
  const { next } = randomSource(1);
  const random = (): Float32Array => normalise(Float32Array.from({ length: DIMENSIONS }, () => next() - 0.5));
  const centres = Array.from({ length: 12 }, random);
  const rows: Row[] = [];
  for (let i = 0; i < n; i++) {
    const [near, by] = i % 5 === 4 || (chains && i % 5 === 0 && i > 0) ? [rows[i - 1]!.vector, 0.1] : [centres[i % 12]!, 0.7];
    const noise = random();
    rows.push({ url: `http://host.test/${i}.jpg`, vector: normalise(near.map((value, d) => value + by * noise[d]!)) });
  }
  return rows;
}

const Metadata = z.object({ hash: z.int64(), url: z.string(), caption: z.string() });

async function writeEmbeddings(parts: readonly (readonly Row[])[], at = join(folder, 'embeddings')): Promise<string> {
  for (const each of ['img_emb', 'metadata']) await mkdir(join(at, each), { recursive: true });
  for (const [i, rows] of parts.entries()) {
    const writer = await NpyWriter.open(join(at, `img_emb/img_emb_0000${i}.npy`), DIMENSIONS, '<f2');
    for (const { vector } of rows) await writer.writeRow(vector);
    await writer.close();
    await writeParquet(
      join(at, `metadata/metadata_0000${i}.parquet`),
      Metadata,
      rows.map((row) => ({ hash: hashOf(row), url: row.url, caption: 'a caption' })),
    );
  }
  return at;
}

async function marksOf(input: string, options: Record<string, unknown> = {}, run = join(folder, 'run')): Promise<SemanticDuplicate[]> {
  await runOneStage(semdedup, run, options, { input, redo: true });
  return allRows<SemanticDuplicate>(join(run, 'semantic-duplicates'));
}

/** By comparing all with all in float16, as the file has them. */
function expectedMarks(rows: readonly Row[], cosine: number): Map<bigint, { nearest: bigint | null; cosine: number | null; of: bigint | null }> {
  const sorted = rows
    .map((row) => ({ hash: hashOf(row), vector: normalise(Float32Array.from(Float16Array.from(row.vector))) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  const marks = new Map<bigint, { nearest: bigint | null; cosine: number | null; of: bigint | null }>();
  for (const [i, { hash, vector }] of sorted.entries()) {
    const all = sorted.slice(0, i).map((other) => vector.reduce((sum, value, d) => sum + value * other.vector[d]!, 0));
    const highest = Math.max(...all);
    const nearest = all.length === 0 ? null : sorted[all.indexOf(highest)]!.hash;
    marks.set(hash, { nearest, cosine: nearest === null ? null : highest, of: highest >= cosine ? (marks.get(nearest!)!.of ?? nearest) : null });
  }
  return marks;
}

describe('the marks', () => {
  test('in one cluster: the most similar picture with a smaller hash, and the one that stays at the end of a chain', async () => {
    const rows = someRows(300, { chains: true });
    const marks = await marksOf(await writeEmbeddings([rows]), { clusters: 1, cosine: 0.9 });
    const expected = expectedMarks(rows, 0.9);
    expect(marks.map(({ hash }) => hash)).toEqual([...expected.keys()]);
    for (const { hash, nearest, cosine, semantic_duplicate_of, cluster } of marks) {
      const wanted = expected.get(hash)!;
      expect({ nearest, of: semantic_duplicate_of, cluster }).toEqual({ nearest: wanted.nearest, of: wanted.of, cluster: 0 });
      if (wanted.cosine !== null) expect(cosine).toBeCloseTo(wanted.cosine, 5);
    }
    const chained = marks.filter(({ nearest, semantic_duplicate_of: of }) => of !== null && of !== nearest);
    expect(chained.length).toBeGreaterThan(0);
    expect(marks.filter(({ semantic_duplicate_of: of }) => of !== null).length).toBeGreaterThanOrEqual(60);
  });

  test('in several clusters: only pairs of one cluster, among them the planted ones', async () => {
    const rows = someRows(600);
    const marks = await marksOf(await writeEmbeddings([rows]), { clusters: 8 });
    const byHash = new Map(marks.map((mark) => [mark.hash, mark]));
    expect(new Set(marks.map(({ cluster }) => cluster)).size).toBe(8);
    for (const { nearest, cluster } of marks) if (nearest !== null) expect(byHash.get(nearest)!.cluster).toBe(cluster);
    const planted = rows.flatMap((row, i) => (i % 5 === 4 ? [[hashOf(row), hashOf(rows[i - 1]!)] as const] : []));
    const found = planted.filter(([a, b]) => byHash.get(a > b ? a : b)!.cosine! >= 0.99);
    expect(found.length / planted.length).toBeGreaterThan(0.95);
  });

  test('the same bytes whatever the order of the parts and of their rows, and where it is made again', async () => {
    const rows = someRows(500);
    const one = await writeEmbeddings([rows.slice(0, 200), rows.slice(200)]);
    const other = await writeEmbeddings([rows.slice(350).toReversed(), rows.slice(0, 150), rows.slice(150, 350)], join(folder, 'other'));
    await marksOf(one);
    const first = await digests(join(folder, 'run/semantic-duplicates'));
    await marksOf(other, {}, join(folder, 'second'));
    expect(await digests(join(folder, 'second/semantic-duplicates'))).toEqual(first);
    expect(Object.keys(first)).toEqual(['/00000.parquet', '/curve.json', '/curve.svg']);
    await marksOf(one, { seed: 2 });
    expect(await digests(join(folder, 'run/semantic-duplicates'))).not.toEqual(first);
  });

  test('--which-to-keep hard and easy: of two duplicates the one farther from the centre stays, or the nearer one', async () => {
    const rows = someRows(300);
    const input = await writeEmbeddings([rows]);
    const staysIn = async (whichToKeep: string): Promise<Set<bigint>> =>
      new Set((await marksOf(input, { clusters: 1, whichToKeep })).filter((mark) => mark.semantic_duplicate_of === null).map(({ hash }) => hash));
    const [hard, easy] = [await staysIn('hard'), await staysIn('easy')];
    const pairs = rows.flatMap((row, i) => (i % 5 === 4 ? [[hashOf(row), hashOf(rows[i - 1]!)] as const] : []));
    // One of each pair, and the other one where the order is reversed.
    for (const [a, b] of pairs) expect([hard.has(a), hard.has(b)]).toEqual([easy.has(b), easy.has(a)]);
    expect(pairs.filter(([a, b]) => hard.has(a) !== hard.has(b))).toHaveLength(pairs.length);
  });
});

test('killed in each of its steps, it goes on after what was noted, to the same bytes', { timeout: 60_000 }, async () => {
  const rows = someRows(500);
  const input = await writeEmbeddings([rows.slice(0, 200), rows.slice(200)]);
  await marksOf(input, {}, join(folder, 'quiet'));
  const run = join(folder, 'run');
  const command = ['semdedup', '--input', input, '--run-dir', run];
  for (const point of ['iterated:2', 'assigned', 'compared']) {
    const { signal, err } = await pairmill(command, { PAIRMILL_KILL_AT: `semdedup.${point}` });
    expect(signal, err).toBe('SIGKILL');
  }
  // It would be killed where it did a step again.
  const steps = ['iterated', 'centred', 'assigned', 'compared'].map((step) => `semdedup.${step}`);
  const { code, err } = await pairmill(command, { PAIRMILL_KILL_AT: steps.join(',') });
  expect(code, err).toBe(0);
  expect(err).toContain(`Next: pairmill release --run-dir ${run} --drop-semantic-duplicates --redo release\n`);
  expect(await digests(join(run, 'semantic-duplicates'))).toEqual(await digests(join(folder, 'quiet/semantic-duplicates')));
  expect(await readdir(run)).not.toContain('_journal');
});

test('the curve says what each cosine would keep, and agrees with the marks', async () => {
  const marks = await marksOf(await writeEmbeddings([someRows(400)]), { cosine: 0.9 });
  const curve = JSON.parse(await readFile(join(folder, 'run/semantic-duplicates/curve.json'), 'utf8')) as Curve;
  expect(curve).toMatchObject({
    rows: 400,
    clusters: 16,
    cosine: 0.9,
    semantic_duplicates: marks.filter((mark) => mark.semantic_duplicate_of !== null).length,
  });
  for (const { cosine, kept, dropped } of curve.points) {
    expect(kept + dropped).toBe(400);
    expect(dropped).toBe(marks.filter((mark) => mark.cosine !== null && mark.cosine >= cosine).length);
  }
  expect(curve.points.map(({ dropped }) => dropped)).toEqual(curve.points.map(({ dropped }) => dropped).sort((a, b) => a - b));
  expect(await readFile(join(folder, 'run/semantic-duplicates/curve.svg'), 'utf8')).toMatch(/^<svg[\s\S]*--cosine 0\.9/);
});

test('a hash that came before, and an embedding that is no number, are dropped by name', async () => {
  const rows = someRows(50);
  rows[10]!.vector = rows[10]!.vector.map(() => Number.NaN);
  const run = join(folder, 'run');
  const { summary } = await runOneStage(semdedup, run, {}, { input: await writeEmbeddings([rows, [rows[3]!]]), rejects: 'all' });
  expect(summary).toMatchObject({ in: 51, out: 49, dropped: { duplicate: 1, 'not-finite': 1 } });
  expect((await rejectsOf(run, 'semdedup')).map(({ reason, url }) => [reason, url])).toEqual([
    ['not-finite', rows[10]!.url],
    ['duplicate', rows[3]!.url],
  ]);
});

test('a part that does not fit the others fails with what to do', async () => {
  const rows = someRows(20);
  const input = await writeEmbeddings([rows]);
  await writeParquet(join(input, 'metadata/metadata_00000.parquet'), Metadata, []);
  const { failed } = await runOneStage(semdedup, join(folder, 'run'), {}, { input, mayFail: true });
  expect(failed[0]!.message).toMatch(/has 0 rows where .* has 20\. Make the part again/);
});

test('vectors are put in order in as many passes as the memory asks for', async () => {
  const rows = someRows(100);
  const input = await writeEmbeddings([rows.slice(0, 30), rows.slice(30)]);
  const parts = ['00000', '00001'].map((name) => ({ images: join(input, `img_emb/img_emb_${name}.npy`), metadata: '', rows: 0 }));
  const places = Int32Array.from({ length: 100 }, (_, i) => (i % 10 === 0 ? -1 : 89 - (i - 1 - Math.floor(i / 10))));
  const path = join(folder, 'ordered.npy');
  const embeddings = { parts, rows: 100, dimensions: DIMENSIONS, type: '<f2' as const, hashes: new BigInt64Array(0) };
  const vectors = vectorsInOrder(embeddings, { memoryBytes: 17 * 2 * DIMENSIONS, signal: new AbortController().signal });
  await vectors.write(places, 0, 90, path);
  const ordered = await readNpy(path);
  expect(ordered.rows).toBe(90);
  for (const [i, place] of places.entries()) if (place >= 0) expect(ordered.row(place)).toEqual(Float32Array.from(Float16Array.from(rows[i]!.vector)));
  await vectors.write(places, 40, 70, path);
  const some = await readNpy(path);
  expect(Array.from({ length: some.rows }, (_, i) => some.row(i))).toEqual(Array.from({ length: 30 }, (_, i) => ordered.row(40 + i)));
});

test('rows by hash, negative ones first; a sample that depends on hashes and seed alone', () => {
  const hashes = BigInt64Array.of(5n, -1n, 2n ** 62n, 0n, -(2n ** 63n), 4_294_967_296n, 5n);
  const order = orderByHash(hashes);
  expect([...order]).toEqual([4, 1, 3, 0, 6, 5, 2]);
  const drawn = [...seededRows(hashes, order, 3, 1)].map((row) => hashes[row]);
  const turned = hashes.toReversed();
  expect([...seededRows(turned, orderByHash(turned), 3, 1)].map((row) => turned[row])).toEqual(drawn);
});

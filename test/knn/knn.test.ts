import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IndexDescription } from '../../src/contracts/index-description.ts';
import type { IndexRow } from '../../src/knn/index-schema.ts';
import { type KnnIndex, openIndex } from '../../src/knn/open-index.ts';
import { IndexWriter } from '../../src/knn/write-index.ts';
import { randomSource } from '../random-source.ts';

const DIMENSIONS = 64;
const ROWS = 3000;
let base: string;

function unit(values: number[]): Float32Array {
  const length = Math.hypot(...values);
  return Float32Array.from(values, (value) => value / length);
}

const { next } = randomSource(7);
const noise = (): number => next() + next() + next() - 1.5;
const centres = Array.from({ length: 40 }, () => Array.from({ length: DIMENSIONS }, noise));
const vectors = Array.from({ length: ROWS }, (_, i) => unit(centres[i % 40]!.map((value) => value + 0.7 * noise())));
/** Every tenth caption has the same vector: ties. */
const captions = vectors.map((_, i) => (i % 10 === 0 ? vectors[0]! : vectors[(i + 1) % ROWS]!));

const row = (id: number): IndexRow => ({
  id,
  hash: BigInt(id) - 2n ** 62n,
  url: `http://host.test/${id}.jpg`,
  caption: `it's “${id}”`,
  key: String(id).padStart(9, '0'),
  language: id % 2 ? 'en' : id % 100 === 0 ? 'de' : '',
  licence: null,
  NSFW: id % 3 ? null : 'UNLIKELY',
  similarity: (id % 100) / 100,
  width: 100 + id,
  height: 200,
  tags: { is_flag: id % 4 ? 0.1 : 0.9, Weird: null },
  further: {},
  vectors: { image: vectors[id]!, text: captions[id]! },
});

async function build(name: string, order: number[], flatBelow: number): Promise<KnnIndex> {
  const folder = join(base, name);
  const writer = await IndexWriter.create(join(folder, '00000'), {
    dimensions: DIMENSIONS,
    heads: ['is_flag', 'Weird'],
    further: [],
    modalities: ['image', 'text'],
  });
  for (const id of order) await writer.add(row(id));
  const built = await writer.finish({ flatBelow, lists: 0, bits: 1, nprobes: 20, refine: 5, recallQueries: 50, seed: 1 });
  for (const described of Object.values(built.vectors)) described.file = `00000/${described.file}`;
  const description: IndexDescription = {
    tool: 'pairmill',
    version: '0',
    format: 1,
    model: { id: 'mini', sha256: {} },
    dimensions: DIMENSIONS,
    folder: '00000',
    heads: ['is_flag', 'Weird'],
    further: [],
    languages: [],
    release: { fingerprint: '' },
    ...built,
  };
  await writeFile(join(folder, 'index.json'), JSON.stringify(description));
  return openIndex(folder);
}

/** What a search must answer, by comparing with every vector. */
function expected(query: Float32Array, among: readonly Float32Array[], k: number, passes: (id: number) => boolean = () => true): number[] {
  const scores = among
    .map((vector, id) => ({ id, score: Float16Array.from(vector).reduce((sum, value, i) => sum + value * query[i]!, 0) }))
    .filter(({ id }) => passes(id));
  return scores
    .sort((a, b) => b.score - a.score || a.id - b.id)
    .slice(0, k)
    .map(({ id }) => id);
}

let flat: KnnIndex;
let shuffled: KnnIndex;
let lists: KnnIndex;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-knn-'));
  const order = Array.from({ length: ROWS }, (_, i) => i);
  flat = await build('flat', order, Infinity);
  shuffled = await build(
    'shuffled',
    order.map((i) => (i * 1009) % ROWS),
    Infinity,
  );
  lists = await build('lists', order, 0);
});
afterAll(async () => {
  for (const index of [flat, shuffled, lists]) await index?.close();
  await rm(base, { recursive: true, force: true });
});

test('exact search answers as a comparison with every vector does, ties by id', async () => {
  for (const i of [0, 5, 17]) {
    for (const [modality, among] of [
      ['image', vectors],
      ['text', captions],
    ] as const) {
      const hits = await flat.search(vectors[i]!, { k: 20, modality });
      expect(hits.map(({ id }) => id)).toEqual(expected(vectors[i]!, among, 20));
      expect(hits[0]!.score).toBeCloseTo(1, 2);
    }
  }
});

test('two builds of the same rows in another order answer alike', async () => {
  for (const index of [shuffled, lists]) {
    for (const modality of ['image', 'text'] as const) {
      expect(await index.search(vectors[3]!, { k: 50, modality, exact: true })).toEqual(await flat.search(vectors[3]!, { k: 50, modality }));
    }
  }
});

test('a predicate is applied before the neighbours are chosen', async () => {
  for (const index of [flat, lists]) {
    const rare = await index.search(vectors[1]!, { k: 20, modality: 'image', predicate: { languages: ['de'] } });
    expect(rare.map(({ id }) => id)).toEqual(expected(vectors[1]!, vectors, 20, (id) => id % 100 === 0));
  }
  const hits = await flat.search(vectors[1]!, {
    k: 10,
    modality: 'image',
    predicate: { languages: ["d'e", ''], minSimilarity: 0.5, minWidth: 1000, maxTags: { is_flag: 0.5, Weird: 0, unknown: 0 } },
  });
  expect(hits.map(({ id }) => id)).toEqual(
    expected(vectors[1]!, vectors, 10, (id) => id % 2 === 0 && id % 100 !== 0 && id % 100 >= 50 && id >= 900 && id % 4 !== 0),
  );
});

describe('the approximate index', () => {
  test('reports its recall, and has it', async () => {
    const { image } = lists.description.vectors;
    expect(image).toMatchObject({ kind: 'ivf_rq', lists: 64, bits: 1, recall: { queries: 50, queried_with: 'text' } });
    const { mean, low, high } = image!.recall!.at_10;
    expect(mean).toBeGreaterThan(0.8);
    expect(low).toBeLessThanOrEqual(mean);
    expect(high).toBeGreaterThanOrEqual(mean);
    let found = 0;
    for (let i = 0; i < 30; i++) {
      const truth = new Set(expected(vectors[i]!, vectors, 10));
      found += (await lists.search(vectors[i]!, { k: 10, modality: 'image' })).filter(({ id }) => truth.has(id)).length;
    }
    expect(found / 300).toBeGreaterThan(0.8);
  });

  test('scores are those of the float16 vectors, not of the codes', async () => {
    const [hit] = await lists.search(vectors[8]!, { k: 1, modality: 'image' });
    const vector = lists.vector(8, 'image');
    expect(hit).toEqual({ id: 8, score: vector.reduce((sum, value, i) => sum + value * lengthOne(vectors[8]!)[i]!, 0) });
  });
});

function lengthOne(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return vector.map((value) => value / length);
}

test('rows by id and by hash', async () => {
  const samples = await flat.samples([7, 2999, 99_999, 0]);
  expect(samples.map(({ id }) => id)).toEqual([7, 2999, 0]);
  const { vectors: _, ...rest } = row(7);
  expect(samples[0]).toEqual({ ...rest, tags: { is_flag: Math.fround(0.1), Weird: null } });
  expect((await flat.byHash(5n - 2n ** 62n))?.id).toBe(5);
  expect(await flat.byHash(1n)).toBeUndefined();
  let count = 0;
  for await (const { hash, vector } of flat.rows('image')) {
    if (hash === 5n - 2n ** 62n) expect([...vector]).toEqual([...Float16Array.from(vectors[5]!)]);
    count++;
  }
  expect(count).toBe(ROWS);
});

test('a wrong query and a folder that is no index', async () => {
  await expect(flat.search(new Float32Array(5), { k: 1, modality: 'image' })).rejects.toThrow(/has 5 values.*have 64/);
  await expect(flat.search(new Float32Array(DIMENSIONS), { k: 1, modality: 'image' })).rejects.toThrow(/zero/);
  await expect(openIndex(join(base, 'nowhere'))).rejects.toThrow(/not an index/);
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { NpyWriter } from '../../src/formats/npy-writer.ts';
import { type Iteration, kMeans } from '../../src/models/k-means.ts';
import { openNearestVectors } from '../../src/models/nearest-vectors.ts';
import { normalise } from '../../src/models/vectors.ts';
import { randomSource } from '../random-source.ts';

const DIMENSIONS = 24;

function randomVectors(rows: number, seed: number): Float32Array[] {
  const { next } = randomSource(seed);
  return Array.from({ length: rows }, () => Float32Array.from({ length: DIMENSIONS }, () => next() - 0.5));
}

const joined = (vectors: readonly Float32Array[]) => ({ values: Float32Array.from(vectors.flatMap((vector) => [...vector])), rows: vectors.length });

const cosine = (a: Float32Array, b: Float32Array): number => {
  const [x, y] = [normalise(a.slice()), normalise(b.slice())];
  return x.reduce((sum, value, d) => sum + value * y[d]!, 0);
};

async function npyFile(vectors: readonly Float32Array[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nearest-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'vectors.npy');
  const writer = await NpyWriter.open(path, DIMENSIONS, '<f4');
  for (const vector of vectors) await writer.writeRow(vector);
  await writer.close();
  return path;
}

describe('nearest vectors', () => {
  test('the first of equals, by cosine and not by length; a vector of zeros, and one with a number that is not finite', async () => {
    const among = randomVectors(5, 1);
    among[3] = among[1]!.map((value) => value * 8);
    const of = [among[3], new Float32Array(DIMENSIONS), Float32Array.from({ length: DIMENSIONS }, () => Number.NaN)];
    const nearest = await openNearestVectors(DIMENSIONS, { of: '<f4', among: '<f4' });
    const { at, cosines, lengths } = await nearest.find(joined(of), joined(among));
    await nearest.close();
    expect([at[0], cosines[0]]).toEqual([1n, expect.closeTo(1, 6)]);
    expect([lengths[1], cosines[1]]).toEqual([0, 0]);
    expect(lengths[2]).toBeNaN();
  });

  test('the same to the last bit with one, two and three threads', async () => {
    const [of, among] = [joined(randomVectors(777, 2)), joined(randomVectors(1301, 3))];
    const results = [];
    for (const threads of [1, 2, 3]) {
      const nearest = await openNearestVectors(DIMENSIONS, { of: '<f4', among: '<f4', threads });
      results.push(await nearest.find(of, among));
      await nearest.close();
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});

describe('k-means', () => {
  test('goes on after the iterations that were noted, to the same centroids', async () => {
    const path = await npyFile(randomVectors(400, 8));
    const settings = { clusters: 12, iterations: 20, signal: new AbortController().signal };
    const quiet = await kMeans(path, settings);
    const noted = new Map<number, Iteration>();
    const journal = {
      recall: async (item: number) => noted.get(item),
      note: async (item: number, value: Iteration) => void noted.set(item, structuredClone(value)),
    };
    const stopped = kMeans(path, {
      ...settings,
      journal,
      onNoted: () => {
        if (noted.size === 3) throw new Error('stopped');
      },
    });
    await expect(stopped).rejects.toThrow('stopped');
    const further: number[] = [];
    const centroids = await kMeans(path, { ...settings, journal: { ...journal, note: async (item) => void further.push(item) } });
    expect(centroids).toEqual(quiet);
    expect(further[0]).toBe(3);
  });

  test('finds clusters that are apart, though it begins with two vectors of one and none of another', async () => {
    const centres = randomVectors(6, 5);
    const { next } = randomSource(6);
    const near = (centre: Float32Array): Float32Array => centre.map((value) => value + (next() - 0.5) / 10);
    // The first six are where it begins.
    const vectors = [...[0, 0, 0, 1, 2, 3].map((i) => near(centres[i]!)), ...Array.from({ length: 300 }, (_, i) => near(centres[i % 6]!))];
    const path = await npyFile(vectors);
    const centroids = await kMeans(path, { clusters: 6, iterations: 20, signal: new AbortController().signal });
    const found = Array.from({ length: 6 }, (_, i) => centroids.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS));
    const covered = centres.filter((centre) => found.some((centroid) => cosine(centroid, centre) > 0.99));
    expect(covered.length).toBeGreaterThanOrEqual(5);
    expect(found.every((centroid) => Math.abs(cosine(centroid, centroid) - 1) < 1e-6)).toBe(true);
  });

  test('equal vectors leave clusters empty, and it ends', async () => {
    const [vector] = randomVectors(1, 7) as [Float32Array];
    const centroids = await kMeans(await npyFile(Array.from({ length: 10 }, () => vector)), {
      clusters: 4,
      iterations: 20,
      signal: new AbortController().signal,
    });
    expect(centroids.every(Number.isFinite)).toBe(true);
  });
});

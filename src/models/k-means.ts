import type { Journal } from '../contracts/stage.ts';
import { npyShape, readNpyBlocks, readNpyRows } from '../formats/npy.ts';
import { type NearestVectors, openNearestVectors } from './nearest-vectors.ts';
import { normalise } from './vectors.ts';

/** Rows that are compared with the centroids at a time. */
export const ROWS_PER_BLOCK = 1024;

export interface KMeansSettings {
  clusters: number;
  /** At most; fewer where no vector changes its cluster any more. */
  iterations: number;
  signal: AbortSignal;
  /** Where it notes each iteration, as item 0, 1, …, so that a process that is killed loses one only. */
  journal?: Journal<Iteration>;
  /** Called when an iteration was noted. */
  onNoted?(): void;
}

/** What an iteration has found, from which the next follows. */
export interface Iteration {
  centroids: Float32Array;
  /** The centroid of each vector, by which they were made; -1 of a vector that is no direction. */
  clusters: Int32Array;
}

/**
 * Centroids of the vectors of an npy file by spherical k-means (cosine; centroids of length 1): `clusters` x dimensions. The first vectors
 * are where it begins, so their order is to be random. A centroid that has lost all its vectors begins anew at the vector that lies
 * farthest from its own. The result depends on the file alone; memory is that of the centroids. There are at least as many vectors
 * as clusters.
 */
export async function kMeans(path: string, { clusters, iterations, signal, journal, onNoted }: KMeansSettings): Promise<Float32Array> {
  const { rows, dimensions, type } = await npyShape(path);
  let known: Iteration | undefined;
  let done = 0;
  for (let next; (next = await journal?.recall(done)); done++) known = next;
  let centroids = known?.centroids ?? (await firstVectors(path, clusters, dimensions));
  const nearest = await openNearestVectors(dimensions, { of: type, among: '<f4' });
  try {
    const assigned = { clusters: known?.clusters ?? new Int32Array(rows).fill(-1), cosines: new Float32Array(rows) };
    for (let i = done; i < iterations; i++) {
      const { sums, changed } = await assign(path, centroids, assigned, nearest, signal);
      if (changed === 0) break;
      centroids = await meansOf(sums, assigned.cosines, path, dimensions);
      await journal?.note(i, { centroids, clusters: assigned.clusters });
      onNoted?.();
    }
  } finally {
    await nearest.close();
  }
  return centroids;
}

async function firstVectors(path: string, count: number, dimensions: number): Promise<Float32Array> {
  const vectors = await readNpyRows(path, [...Array(count).keys()]);
  for (let i = 0; i < count; i++) normalise(vectors.subarray(i * dimensions, (i + 1) * dimensions));
  return vectors;
}

interface Assigned {
  clusters: Int32Array;
  cosines: Float32Array;
}

/** Assigns every vector to its nearest centroid; adds the vectors of each up, scaled to length 1. */
async function assign(
  path: string,
  centroids: Float32Array,
  assigned: Assigned,
  nearest: NearestVectors,
  signal: AbortSignal,
): Promise<{ sums: Float64Array; changed: number }> {
  const rows = assigned.clusters.length;
  const { dimensions } = await npyShape(path);
  const among = { values: centroids, rows: centroids.length / dimensions };
  const sums = new Float64Array(centroids.length);
  let changed = 0;
  for await (const block of readNpyBlocks(path, Math.min(ROWS_PER_BLOCK, rows))) {
    signal.throwIfAborted();
    const found = await nearest.find({ values: block.values, rows: block.values.length / dimensions }, among);
    for (let i = 0; i < block.rows; i++) {
      const length = found.lengths[i]!;
      const usable = Number.isFinite(length) && length > 0;
      const cluster = usable ? Number(found.at[i]) : -1;
      if (assigned.clusters[block.start + i] !== cluster) changed++;
      assigned.clusters[block.start + i] = cluster;
      assigned.cosines[block.start + i] = usable ? found.cosines[i]! : 1;
      if (!usable) continue;
      const [from, to, scale] = [i * dimensions, cluster * dimensions, 1 / length];
      for (let d = 0; d < dimensions; d++) sums[to + d]! += block.values[from + d]! * scale;
    }
  }
  return { sums, changed };
}

/** The sums scaled to length 1; where there is none, the vector with the lowest cosine that was not taken yet. */
async function meansOf(sums: Float64Array, cosines: Float32Array, path: string, dimensions: number): Promise<Float32Array> {
  const centroids = new Float32Array(sums.length);
  const empty: number[] = [];
  for (let start = 0; start < sums.length; start += dimensions) {
    const sum = sums.subarray(start, start + dimensions);
    const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
    if (length === 0) empty.push(start);
    else for (let d = 0; d < dimensions; d++) centroids[start + d] = sum[d]! / length;
  }
  if (empty.length === 0) return centroids;
  const farthest = [...cosines.keys()].sort((a, b) => cosines[a]! - cosines[b]! || a - b).slice(0, empty.length);
  const vectors = await readNpyRows(path, farthest);
  for (const [i, start] of empty.entries()) centroids.set(normalise(vectors.subarray(i * dimensions, (i + 1) * dimensions)), start);
  return centroids;
}

import { join } from 'node:path';
import { readNpyBlocks } from '../../formats/npy.ts';
import { kMeans, ROWS_PER_BLOCK } from '../../models/k-means.ts';
import { openNearestVectors } from '../../models/nearest-vectors.ts';
import { type EmbeddingRows, seededRows } from './embedding-rows.ts';
import type { SemdedupOptions } from './options.ts';
import { writeInOrder } from './vectors-in-order.ts';

/** The cluster of each row, and how near it is to its centre. */
export interface Clustered {
  count: number;
  /** -1 of a row that holds a number that is not finite. */
  clusters: Int32Array;
  cosines: Float32Array;
}

type Settings = Pick<SemdedupOptions, 'clusters' | 'iterations' | 'pointsPerCentroid' | 'seed' | 'memory'>;

/** Clusters the embeddings: centres from a seeded sample by k-means, then each row to the nearest. `order` is the rows that count, by hash. */
export async function clusterEmbeddings(
  embeddings: EmbeddingRows,
  order: Uint32Array,
  options: Settings,
  { scratch, signal }: { scratch: string; signal: AbortSignal },
): Promise<Clustered> {
  const count = Math.min(order.length, options.clusters === 0 ? usualClusters(order.length) : options.clusters);
  const sample = seededRows(embeddings.hashes, order, count * options.pointsPerCentroid, options.seed);
  const places = new Int32Array(embeddings.rows).fill(-1);
  for (const [place, row] of sample.entries()) places[row] = place;
  const path = join(scratch, 'sample.npy');
  await writeInOrder(embeddings, places, sample.length, path, { memoryBytes: options.memory * 1e6, signal });
  const centroids = await kMeans(path, { clusters: count, iterations: options.iterations, signal });
  return { count, ...(await assignRows(embeddings, centroids, signal)) };
}

/** The power of two nearest to the square root, as `index` chooses its lists. */
export function usualClusters(rows: number): number {
  return 2 ** Math.round(Math.log2(Math.sqrt(rows)));
}

async function assignRows({ parts, rows, dimensions, type }: EmbeddingRows, centroids: Float32Array, signal: AbortSignal): Promise<Omit<Clustered, 'count'>> {
  const assigned = { clusters: new Int32Array(rows), cosines: new Float32Array(rows) };
  const among = { values: centroids, rows: centroids.length / dimensions };
  const nearest = await openNearestVectors(dimensions, { of: type, among: '<f4' });
  try {
    let row = 0;
    for (const { images } of parts)
      for await (const block of readNpyBlocks(images, ROWS_PER_BLOCK)) {
        signal.throwIfAborted();
        // Always a whole block: where a part ends changes no last digit then.
        const { at, cosines, lengths } = await nearest.find({ values: block.values, rows: ROWS_PER_BLOCK }, among);
        for (let i = 0; i < block.rows; i++, row++) {
          assigned.clusters[row] = Number.isFinite(lengths[i]) ? Number(at[i]) : -1;
          assigned.cosines[row] = cosines[i]!;
        }
      }
  } finally {
    await nearest.close();
  }
  return assigned;
}

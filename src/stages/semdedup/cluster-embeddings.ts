import { join } from 'node:path';
import { npyValues, openNpyRows } from '../../formats/npy.ts';
import { kMeans, ROWS_PER_BLOCK } from '../../models/k-means.ts';
import { type NearestVectors, openNearestVectors, type Vectors } from '../../models/nearest-vectors.ts';
import { type EmbeddingRows, placesOf, seededRows } from './embedding-rows.ts';
import type { SemdedupOptions } from './options.ts';
import { stepJournal, type StepSettings } from './step-journal.ts';
import type { VectorsInOrder } from './vectors-in-order.ts';

/** Rows whose clusters are noted at a time, a multiple of a block. */
const ROWS_PER_NOTE = 64 * ROWS_PER_BLOCK;

/** The cluster of each row, and how near it is to its centre. */
export interface Clustered {
  count: number;
  /** -1 of a row that holds a number that is not finite. */
  clusters: Int32Array;
  cosines: Float32Array;
}

type Assigned = Omit<Clustered, 'count'>;
type Options = Pick<SemdedupOptions, 'clusters' | 'iterations' | 'pointsPerCentroid' | 'seed'>;
type Settings = StepSettings & { vectors: VectorsInOrder };

/** Clusters the embeddings: centres from a seeded sample by k-means, then each row to the nearest. `order` is the rows that count, by hash. */
export async function clusterEmbeddings(embeddings: EmbeddingRows, order: Uint32Array, options: Options, settings: Settings): Promise<Clustered> {
  const count = Math.min(order.length, options.clusters === 0 ? usualClusters(order.length) : options.clusters);
  const journal = stepJournal<Float32Array>(settings.journal, 'centred');
  let centroids = await journal.recall(0);
  if (!centroids) {
    centroids = await findCentroids(embeddings, order, { ...options, clusters: count }, settings);
    await journal.note(0, centroids);
    settings.onNoted('centred');
  }
  return { count, ...(await assignRows(embeddings, centroids, settings)) };
}

async function findCentroids(
  embeddings: EmbeddingRows,
  order: Uint32Array,
  { clusters, iterations, pointsPerCentroid, seed }: Options,
  { vectors, scratch, signal, journal, onNoted }: Settings,
): Promise<Float32Array> {
  const sample = seededRows(embeddings.hashes, order, clusters * pointsPerCentroid, seed);
  const path = join(scratch, 'sample.npy');
  await vectors.write(placesOf(sample, embeddings.rows), 0, sample.length, path);
  return kMeans(path, { clusters, iterations, signal, journal: stepJournal(journal, 'iterated'), onNoted: () => onNoted('iterated') });
}

/** The power of two nearest to the square root, as `index` chooses its lists. */
export function usualClusters(rows: number): number {
  return 2 ** Math.round(Math.log2(Math.sqrt(rows)));
}

/** Item r of the journal is what was found for some rows from r on. */
async function assignRows(
  { parts, rows, dimensions, type }: EmbeddingRows,
  centroids: Float32Array,
  { journal, onNoted, signal }: Settings,
): Promise<Assigned> {
  const assigned: Assigned = { clusters: new Int32Array(rows), cosines: new Float32Array(rows) };
  const noted = stepJournal<Assigned>(journal, 'assigned');
  const nearest = await openNearestVectors(dimensions, { of: type, among: '<f4' });
  const among = { values: centroids, rows: centroids.length / dimensions };
  try {
    let first = 0;
    for (const part of parts)
      for (let start = 0; start < part.rows; start += ROWS_PER_NOTE) {
        const count = Math.min(ROWS_PER_NOTE, part.rows - start);
        let some = await noted.recall(first);
        if (!some) {
          some = await assignSome(part.images, { start, count }, among, nearest, signal);
          await noted.note(first, some);
          onNoted('assigned');
        }
        assigned.clusters.set(some.clusters, first);
        assigned.cosines.set(some.cosines, first);
        first += count;
      }
  } finally {
    await nearest.close();
  }
  return assigned;
}

async function assignSome(
  path: string,
  { start, count }: { start: number; count: number },
  among: Vectors,
  nearest: NearestVectors,
  signal: AbortSignal,
): Promise<Assigned> {
  const file = await openNpyRows(path);
  try {
    const assigned: Assigned = { clusters: new Int32Array(count), cosines: new Float32Array(count) };
    const values = npyValues(file.type, ROWS_PER_BLOCK * file.dimensions);
    for (let block = 0; block < count; block += ROWS_PER_BLOCK) {
      signal.throwIfAborted();
      const rows = Math.min(ROWS_PER_BLOCK, count - block);
      await file.read(start + block, rows, values);
      // Always a whole block: where a part ends changes no last digit then.
      const { at, cosines, lengths } = await nearest.find({ values, rows: ROWS_PER_BLOCK }, among);
      for (let i = 0; i < rows; i++) assigned.clusters[block + i] = Number.isFinite(lengths[i]) ? Number(at[i]) : -1;
      assigned.cosines.set(cosines.subarray(0, rows), block);
    }
    return assigned;
  } finally {
    await file.close();
  }
}

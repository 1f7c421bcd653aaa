import { npyValues, openNpyRows } from '../../formats/npy.ts';
import { openNearestVectors } from '../../models/nearest-vectors.ts';

/** Vectors that are in memory as those that come before: 4 MB of 512 float16. */
const COLUMNS = 4096;
/** Vectors that are compared with them at a time: the half of the last square that is computed in vain is small. */
const ROWS = 512;

/** Of each vector, the one before it in its cluster that is most similar. */
export interface NearestBefore {
  /** Its place in the file; -1 where none comes before. */
  at: Int32Array;
  /** Rounded to six decimals: of two equal vectors 1, whatever the last digits of their product. */
  cosines: Float32Array;
}

/**
 * For each vector of an npy file in which clusters lie one after another (cluster i from `starts[i]` to `starts[i + 1]`): which of those
 * before it in its cluster has the highest cosine, the first of equals. Every pair of a cluster is compared; memory does not depend on
 * the size of a cluster.
 */
export async function nearestBefore(
  path: string,
  starts: Int32Array,
  { signal, onRows }: { signal: AbortSignal; onRows(rows: number): void },
): Promise<NearestBefore> {
  const file = await openNpyRows(path);
  const { rows, dimensions, type } = file;
  const found: NearestBefore = { at: new Int32Array(rows).fill(-1), cosines: new Float32Array(rows).fill(Number.NaN) };
  const nearest = await openNearestVectors(dimensions, { of: type, among: type, before: true });
  const [columns, further] = [npyValues(type, COLUMNS * dimensions), npyValues(type, ROWS * dimensions)];
  try {
    for (let cluster = 0; cluster + 1 < starts.length; cluster++) {
      const [begin, end] = [starts[cluster]!, starts[cluster + 1]!];
      for (let from = begin; from < end; from += COLUMNS) {
        const until = Math.min(end, from + COLUMNS);
        await file.read(from, until - from, columns);
        for (let first = from; first < end; first += ROWS) {
          signal.throwIfAborted();
          const count = Math.min(ROWS, end - first);
          const inColumns = first < until;
          if (!inColumns) await file.read(first, count, further);
          const of = { values: inColumns ? columns.subarray((first - from) * dimensions) : further, rows: count };
          const among = { values: columns, rows: Math.min(until, first + count) - from };
          const before = Float32Array.from({ length: count }, (_, i) => Math.min(among.rows, first + i - from));
          const { at, cosines } = await nearest.find(of, among, before);
          for (let i = 0; i < count; i++) {
            const cosine = Math.fround(Math.round(cosines[i]! * 1e6) / 1e6);
            // Not one of none, nor one that was found before among earlier columns.
            if (before[i] === 0 || cosine <= found.cosines[first + i]!) continue;
            found.at[first + i] = from + Number(at[i]);
            found.cosines[first + i] = cosine;
          }
        }
      }
      onRows(end - begin);
    }
  } finally {
    await nearest.close();
    await file.close();
  }
  return found;
}

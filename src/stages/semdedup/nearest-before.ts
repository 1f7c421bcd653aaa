import { type NpyRows, npyValues } from '../../formats/npy.ts';
import type { NearestVectors } from '../../models/nearest-vectors.ts';

/** Vectors that are in memory as those that are compared, and once more as those that come before: 4 MB of 512 float16 each. */
const BLOCK = 4096;
/** Vectors that are compared with a block at a time: the half of the last square that is computed in vain is small. */
const ROWS = 512;

/** Of vectors one after another, the one before each in its cluster that is most similar. */
export interface NearestBefore {
  /** Its place; -1 where none comes before. */
  at: Int32Array;
  /** Rounded to six decimals: of two equal vectors 1, whatever the last digits of their product. */
  cosines: Float32Array;
}

/** Places from `first` to before `until` of the cluster that begins at `begin`. */
export interface RowBlock {
  begin: number;
  first: number;
  until: number;
}

/** The clusters in blocks, from place `from` on, where a block begins. Cluster i lies from `starts[i]` to before `starts[i + 1]`. */
export function* rowBlocks(starts: Int32Array, from: number): Generator<RowBlock> {
  for (let cluster = 0; cluster + 1 < starts.length; cluster++) {
    const [begin, end] = [starts[cluster]!, starts[cluster + 1]!];
    if (end <= from) continue;
    for (let first = Math.max(begin, from); first < end; first += BLOCK) yield { begin, first, until: Math.min(end, first + BLOCK) };
  }
}

/**
 * For each vector of a block: which of those before it in its cluster has the highest cosine, the first of equals. Memory does not depend
 * on the size of the cluster. `file` holds whole clusters, from place `offset` on; `nearest` compares `before`.
 */
export function blockSearch(file: NpyRows, offset: number, nearest: NearestVectors, signal: AbortSignal): (block: RowBlock) => Promise<NearestBefore> {
  const { dimensions, type } = file;
  const [block, others] = [npyValues(type, BLOCK * dimensions), npyValues(type, BLOCK * dimensions)];
  return async ({ begin, first, until }) => {
    const found: NearestBefore = { at: new Int32Array(until - first).fill(-1), cosines: new Float32Array(until - first).fill(Number.NaN) };
    await file.read(first - offset, until - first, block);
    for (let from = begin; from < until; from += BLOCK) {
      const own = from === first;
      if (!own) await file.read(from - offset, BLOCK, others);
      for (let row = first; row < until; row += ROWS) {
        signal.throwIfAborted();
        const count = Math.min(ROWS, until - row);
        const of = { values: block.subarray((row - first) * dimensions), rows: count };
        const among = { values: own ? block : others, rows: own ? row + count - first : BLOCK };
        const before = Float32Array.from({ length: count }, (_, i) => (own ? row + i - first : BLOCK));
        const { at, cosines } = await nearest.find(of, among, before);
        for (let i = 0; i < count; i++) {
          const cosine = Math.fround(Math.round(cosines[i]! * 1e6) / 1e6);
          const place = row + i - first;
          // Not one of none, nor one that was found before among earlier ones.
          if (before[i] === 0 || cosine <= found.cosines[place]!) continue;
          found.at[place] = from + Number(at[i]);
          found.cosines[place] = cosine;
        }
      }
    }
    return found;
  };
}

import { open } from 'node:fs/promises';
import { npyHeader, npyValues, readNpyBlocks } from '../../formats/npy.ts';
import type { EmbeddingRows } from './embedding-rows.ts';

const BLOCK_BYTES = 2 * 1024 * 1024;
/** One call writes 2 GiB at most. */
const MAX_PASS_BYTES = 1024 ** 3;

/** Writes vectors to npy files in another order. */
export interface VectorsInOrder {
  /** Vectors that one pass through the embeddings puts in order. */
  readonly perPass: number;
  /**
   * Writes the vectors whose place is from `from` to before `until`: that of row i at `places[i]`. Every place between is taken. Goes through
   * the embeddings once for each `perPass` of them, and reads them in their order.
   */
  write(places: Int32Array, from: number, until: number, path: string): Promise<void>;
}

/** The memory is taken once, for all that is written. */
export function vectorsInOrder(
  { parts, rows: all, dimensions, type }: EmbeddingRows,
  { memoryBytes, signal }: { memoryBytes: number; signal: AbortSignal },
): VectorsInOrder {
  const rowBytes = dimensions * (type === '<f2' ? 2 : 4);
  const perPass = Math.max(1, Math.min(all, Math.floor(Math.min(memoryBytes, MAX_PASS_BYTES) / rowBytes)));
  const rowsPerBlock = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
  const ordered = npyValues(type, perPass * dimensions);
  /** The vectors of some places, into `ordered`. */
  const gather = async (places: Int32Array, from: number, until: number): Promise<void> => {
    let row = 0;
    for (const { images } of parts)
      for await (const { values, rows } of readNpyBlocks(images, rowsPerBlock)) {
        signal.throwIfAborted();
        for (let i = 0; i < rows; i++, row++) {
          const place = places[row]!;
          if (place >= from && place < until) ordered.set(values.subarray(i * dimensions, (i + 1) * dimensions), (place - from) * dimensions);
        }
      }
  };
  return {
    perPass,
    async write(places, from, until, path) {
      const file = await open(path, 'w');
      try {
        await file.writeFile(npyHeader(until - from, dimensions, type));
        for (let start = from; start < until; start += perPass) {
          const end = Math.min(until, start + perPass);
          await gather(places, start, end);
          await file.writeFile(new Uint8Array(ordered.buffer, 0, (end - start) * rowBytes));
        }
      } finally {
        await file.close();
      }
    },
  };
}

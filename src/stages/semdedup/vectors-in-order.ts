import { open } from 'node:fs/promises';
import { npyHeader, npyValues, readNpyBlocks } from '../../formats/npy.ts';
import type { EmbeddingRows } from './embedding-rows.ts';

const BLOCK_BYTES = 2 * 1024 * 1024;
/** One call writes 2 GiB at most. */
const MAX_PASS_BYTES = 1024 ** 3;

/**
 * Writes vectors to an npy file in another order: that of row i at `places[i]`, where that is not negative. `count` places are taken. Goes
 * through the embeddings once for each `memoryBytes` of what is written, and reads them in their order.
 */
export async function writeInOrder(
  { parts, dimensions, type }: EmbeddingRows,
  places: Int32Array,
  count: number,
  path: string,
  { memoryBytes, signal }: { memoryBytes: number; signal: AbortSignal },
): Promise<void> {
  const rowBytes = dimensions * (type === '<f2' ? 2 : 4);
  const perPass = Math.max(1, Math.min(count, Math.floor(Math.min(memoryBytes, MAX_PASS_BYTES) / rowBytes)));
  const rowsPerBlock = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
  const ordered = npyValues(type, perPass * dimensions);
  const file = await open(path, 'w');
  try {
    await file.writeFile(npyHeader(count, dimensions, type));
    for (let from = 0; from < count; from += perPass) {
      const until = Math.min(count, from + perPass);
      let row = 0;
      for (const { images } of parts)
        for await (const { values, rows } of readNpyBlocks(images, rowsPerBlock)) {
          signal.throwIfAborted();
          for (let i = 0; i < rows; i++, row++) {
            const place = places[row]!;
            if (place >= from && place < until) ordered.set(values.subarray(i * dimensions, (i + 1) * dimensions), (place - from) * dimensions);
          }
        }
      await file.writeFile(new Uint8Array(ordered.buffer, 0, (until - from) * rowBytes));
    }
  } finally {
    await file.close();
  }
}

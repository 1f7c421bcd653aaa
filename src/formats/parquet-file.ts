import { open } from 'node:fs/promises';
import { zstdDecompressSync } from 'node:zlib';
import type { AsyncBuffer } from 'hyparquet';
import { readInto } from './read-into.ts';

/** A Parquet file as hyparquet reads it. */
export async function openParquetFile(path: string): Promise<{ buffer: AsyncBuffer; close(): Promise<void> }> {
  const file = await open(path, 'r');
  const { size } = await file.stat();
  const buffer: AsyncBuffer = {
    byteLength: size,
    async slice(start, end = size) {
      const bytes = new Uint8Array(Math.max(0, end - start));
      await readInto(file, bytes, start);
      return bytes.buffer;
    },
  };
  return { buffer, close: () => file.close() };
}

/** Beside snappy, which hyparquet has itself. */
export const decompressors = { ZSTD: (input: Uint8Array, length: number) => zstdDecompressSync(input, { maxOutputLength: Math.max(length, 1) }) };

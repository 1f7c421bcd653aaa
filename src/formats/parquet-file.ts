import { open } from 'node:fs/promises';
import { zstdDecompressSync } from 'node:zlib';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync } from 'hyparquet';
import { messageOf } from '../contracts/errors.ts';
import { readInto } from './read-into.ts';

/** A Parquet file as hyparquet reads it, with its footer. Throws where it is none. */
export async function openParquetFile(path: string): Promise<{ buffer: AsyncBuffer; metadata: FileMetaData; close(): Promise<void> }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const buffer: AsyncBuffer = {
      byteLength: size,
      async slice(start, end = size) {
        const bytes = new Uint8Array(Math.max(0, end - start));
        await readInto(file, bytes, start);
        return bytes.buffer;
      },
    };
    return { buffer, metadata: await parquetMetadataAsync(buffer), close: () => file.close() };
  } catch (error) {
    await file.close();
    throw new Error(`${path} is not a readable Parquet file: ${messageOf(error)}`, { cause: error });
  }
}

/** Beside snappy, which hyparquet has itself. */
export const decompressors = { ZSTD: (input: Uint8Array, length: number) => zstdDecompressSync(input, { maxOutputLength: Math.max(length, 1) }) };

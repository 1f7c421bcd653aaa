import { open } from 'node:fs/promises';

/** Bytes that are read at a time. */
const CHUNK_BYTES = 1_048_576;

/**
 * The bytes of a file, a chunk at a time in one buffer that is used again: a chunk is valid until the next one is asked for.
 * (A stream of Node's makes a new buffer for each chunk, which keeps the garbage collector busy.)
 */
export async function* readFileChunks(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES);
      if (bytesRead === 0) return;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

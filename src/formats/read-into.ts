import type { FileHandle } from 'node:fs/promises';

/** Fills `bytes` from an offset in the file. Returns how many came: fewer than there is room for only where the file ends. */
export async function readInto(file: FileHandle, bytes: Uint8Array, offset: number): Promise<number> {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

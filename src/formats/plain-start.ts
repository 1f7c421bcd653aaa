import { constants, gunzipSync } from 'node:zlib';

/** The first bytes of a file's content: as they are or, of a gzip file, inflated as far as they go. Empty where they can't be. */
export function plainStart(head: Uint8Array): Buffer {
  if (head[0] !== 0x1f || head[1] !== 0x8b) return Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  try {
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return Buffer.alloc(0);
  }
}

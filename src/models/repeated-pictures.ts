import { hash } from 'node:crypto';
import type { ImageEncoder } from './image-encoder.ts';

/** Memory of the kept embeddings: 13,797 of 256 dimensions, 5,146 of 768. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Of an entry beside its numbers: the name, the array, the map's own. */
const ENTRY_BYTES = 192;

/**
 * The same encoder, which encodes a picture that it has seen lately, to the byte, only once. The same file stands at
 * many URLs of a crawl, and `embed` meets what `filter` has just encoded. Changes no result: an embedding depends on its
 * picture alone. Hashing costs some 20 microseconds a picture, encoding from 2 milliseconds (mini) to hundreds.
 */
export function withoutRepeats(encode: ImageEncoder, dimensions: number): ImageEncoder {
  /** By SHA-256, the least lately used first. */
  const known = new Map<string, Float32Array>();
  const capacity = Math.max(1, Math.floor(MAX_BYTES / (4 * dimensions + ENTRY_BYTES)));
  return async (pictures) => {
    const names = pictures.map((picture) => hash('sha256', picture, 'base64'));
    const found = new Map<string, Float32Array | Error>();
    const fresh = new Map<string, Uint8Array>();
    for (const [i, name] of names.entries()) {
      const embedding = known.get(name);
      if (embedding) found.set(name, embedding);
      else fresh.set(name, pictures[i]!);
    }
    const encoded = await encode([...fresh.values()]);
    for (const [i, name] of [...fresh.keys()].entries()) found.set(name, encoded[i]!);
    for (const [name, embedding] of found) {
      if (embedding instanceof Error) continue;
      known.delete(name);
      known.set(name, embedding);
    }
    for (const name of known.keys()) {
      if (known.size <= capacity) break;
      known.delete(name);
    }
    // Copies: whoever scales or changes one must not change the next one's.
    return names.map((name) => {
      const embedding = found.get(name)!;
      return embedding instanceof Error ? embedding : embedding.slice();
    });
  };
}

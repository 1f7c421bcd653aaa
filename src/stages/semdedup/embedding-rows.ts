import type { Dataset } from '../../contracts/dataset.ts';
import { ShardError } from '../../contracts/errors.ts';
import { HashReader } from '../../formats/hash-reader.ts';
import type { NpyType } from '../../formats/npy.ts';
import { fetchPictureEmbeddings, type PictureEmbeddings } from '../../formats/picture-embeddings.ts';

/** The parts of embeddings/ as one list of rows, numbered on from part to part. */
export interface EmbeddingRows {
  parts: readonly Pick<PictureEmbeddings, 'images' | 'metadata' | 'rows'>[];
  rows: number;
  dimensions: number;
  type: NpyType;
  hashes: BigInt64Array;
}

const HASHES_AT_ONCE = 10_000;

/** Fetches the parts, checks that they fit together, and reads their hashes: 8 bytes a row. */
export async function embeddingRows(embeddings: Dataset, names: readonly string[], signal: AbortSignal): Promise<EmbeddingRows> {
  const parts: PictureEmbeddings[] = [];
  for (const name of names) {
    signal.throwIfAborted();
    const part = await fetchPictureEmbeddings(embeddings, name);
    const [first = part] = parts;
    if (part.dimensions !== first.dimensions || part.type !== first.type)
      throw new ShardError(
        `${part.images} has vectors of ${part.dimensions} numbers (${part.type}), ${first.images} of ${first.dimensions} (${first.type}). Make the embeddings again with one model and precision.`,
      );
    parts.push(part);
  }
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const { dimensions, type } = parts[0]!;
  return { parts, rows, dimensions, type, hashes: await readHashes(parts, rows, signal) };
}

async function readHashes(parts: EmbeddingRows['parts'], rows: number, signal: AbortSignal): Promise<BigInt64Array> {
  const hashes = new BigInt64Array(rows);
  let at = 0;
  for (const part of parts) {
    const reader = new HashReader(part.metadata);
    try {
      for (const end = at + part.rows; at < end;) {
        signal.throwIfAborted();
        const some = await reader.next(Math.min(HASHES_AT_ONCE, end - at));
        hashes.set(some, at);
        at += some.length;
      }
    } finally {
      await reader.close();
    }
  }
  return hashes;
}

/** The numbers of the rows by ascending hash; equal ones in their order. */
export function orderByHash(hashes: BigInt64Array): Uint32Array {
  // Read in halves: comparing BigInts makes two objects a comparison.
  const [low, high] = [new Uint32Array(hashes.buffer), new Int32Array(hashes.buffer)];
  return Uint32Array.from(hashes.keys()).sort((a, b) => high[2 * a + 1]! - high[2 * b + 1]! || low[2 * a]! - low[2 * b]! || a - b);
}

/** By row: its place among the rows that are put in an order, -1 of the others. */
export function placesOf(rowAt: Uint32Array, rows: number): Int32Array {
  const places = new Int32Array(rows).fill(-1);
  for (const [place, row] of rowAt.entries()) places[row] = place;
  return places;
}

/**
 * `size` of the rows in a random order: those whose hash with the seed is smallest, so that they depend on the hashes and on nothing else.
 * `order` is the rows by ascending hash.
 */
export function seededRows(hashes: BigInt64Array, order: Uint32Array, size: number, seed: number): Uint32Array {
  const halves = new Uint32Array(hashes.buffer);
  const keys = new Uint32Array(hashes.length);
  for (let i = 0; i < hashes.length; i++) keys[i] = mixed(halves[2 * i]! ^ mixed(halves[2 * i + 1]! ^ mixed(seed)));
  return order
    .slice()
    .sort((a, b) => keys[a]! - keys[b]!)
    .subarray(0, size);
}

/** The final mix of MurmurHash3: every bit of the number decides about every bit. */
function mixed(number: number): number {
  let mix = number;
  mix = Math.imul(mix ^ (mix >>> 16), 0x85eb_ca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2_ae35);
  return (mix ^ (mix >>> 16)) >>> 0;
}

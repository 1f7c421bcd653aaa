import { RunError } from '../contracts/errors.ts';
import type { KnnIndex } from './open-index.ts';

export interface Neighbours {
  values: Float32Array;
  labels: Uint8Array;
}

/**
 * Unlabelled rows of an index that are near to labelled ones, each with the label of the nearest: so LAION grew the sets that its
 * heads were trained on. One that is nearly as near to a row of the other label (within `margin`) is left out, and so is every row in `known`.
 * In the order of their hashes. Throws RunError where the index holds other vectors.
 */
export async function labelledNeighbours(
  index: KnnIndex,
  { dimensions, values, labels }: { dimensions: number; values: Float32Array; labels: Uint8Array },
  { neighbours, minSimilarity, margin, known }: { neighbours: number; minSimilarity: number; margin: number; known: ReadonlySet<bigint> },
): Promise<Neighbours> {
  if (index.description.dimensions !== dimensions)
    throw new RunError(
      `The index holds vectors of ${index.description.dimensions} numbers, the labelled embeddings have ${dimensions}: they are of another model.`,
    );
  /** Of each found row, how near the nearest labelled row of each label is. */
  const nearest = new Map<number, [number, number]>();
  for (const [row, label] of labels.entries()) {
    const vector = values.slice(row * dimensions, (row + 1) * dimensions);
    for (const { id, score } of await index.search(vector, { k: neighbours, modality: 'image' })) {
      if (score < minSimilarity) continue;
      const scores = nearest.get(id) ?? [-1, -1];
      scores[label as 0 | 1] = Math.max(scores[label as 0 | 1], score);
      nearest.set(id, scores);
    }
  }
  const clear = [...nearest].filter(([, [no, yes]]) => Math.abs(yes - no) > margin);
  const samples = await index.samples(clear.map(([id]) => id));
  const hashes = new Map(samples.map(({ id, hash }) => [id, hash]));
  const grown = clear.filter(([id]) => hashes.has(id) && !known.has(hashes.get(id)!)).sort(([a], [b]) => (hashes.get(a)! < hashes.get(b)! ? -1 : 1));
  const result: Neighbours = { values: new Float32Array(grown.length * dimensions), labels: new Uint8Array(grown.length) };
  for (const [i, [id, [no, yes]]] of grown.entries()) {
    result.values.set(index.vector(id, 'image'), i * dimensions);
    result.labels[i] = yes > no ? 1 : 0;
  }
  return result;
}

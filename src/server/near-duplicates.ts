import { dot } from '../models/vectors.ts';

/**
 * The first of each group of near-duplicates, with how many others it stands for. Groups are the connected components
 * over pairs whose vectors have an inner product of at least `threshold`, as in clip-retrieval's `deduplicate`.
 * Quadratic in the number of vectors: 1,000 of 512 values take about 0.3 s of one core.
 */
export function firstOfGroups<T>(items: readonly T[], vectorOf: (item: T) => Float32Array, threshold: number): { first: T; others: number }[] {
  const vectors = items.map(vectorOf);
  const group = items.map((_, i) => i);
  const root = (i: number): number => {
    while (group[i] !== i) i = group[i] = group[group[i]!]!;
    return i;
  };
  for (let i = 0; i < vectors.length; i++) {
    for (let j = i + 1; j < vectors.length; j++) {
      const [a, b] = [root(i), root(j)];
      // The smaller stays the root: the best result of a group is the one that is kept.
      if (a !== b && dot(vectors[i]!, vectors[j]!) >= threshold) group[Math.max(a, b)] = Math.min(a, b);
    }
  }
  const sizes = items.map(() => 0);
  for (let i = 0; i < items.length; i++) sizes[root(i)]!++;
  return items.map((first, i) => ({ first, others: sizes[i]! - 1 })).filter(({ others }) => others >= 0);
}

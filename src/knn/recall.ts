import { createHash } from 'node:crypto';
import type { Recall, VectorIndexDescription } from '../contracts/index-description.ts';
import { type SearchTarget, searchVectors } from './search.ts';

/**
 * Recall of the approximate search against the exact one at 10 and at 100, over seeded rows of `queries` as queries.
 * The interval is that of the mean over the queries (normal approximation, 95 %).
 */
export async function measureRecall(
  target: SearchTarget,
  source: SearchTarget,
  { queries, seed }: { queries: number; seed: number },
): Promise<NonNullable<VectorIndexDescription['recall']>> {
  const found: Record<10 | 100, number[]> = { 10: [], 100: [] };
  for (const row of seededRows(Math.min(queries, source.rows), source.rows, seed)) {
    const query = source.vectors.read(row);
    const [approximate, exact] = await Promise.all([searchVectors(target, query, { k: 100 }), searchVectors(target, query, { k: 100, exact: true })]);
    for (const k of [10, 100] as const) {
      const truth = exact.slice(0, k);
      // By score and not by id: of several equal vectors any is right.
      const worst = truth.at(-1)!.score;
      found[k].push(approximate.slice(0, k).filter(({ score }) => score >= worst - 1e-6).length / truth.length);
    }
  }
  return { at_10: interval(found[10]), at_100: interval(found[100]), queries: found[10].length, queried_with: source.modality };
}

/** `count` distinct rows of `rows`, the same for a seed. */
function seededRows(count: number, rows: number, seed: number): Set<number> {
  const chosen = new Set<number>();
  for (let i = 0; chosen.size < count; i++) chosen.add(Number(createHash('md5').update(`${seed} ${i}`).digest().readBigUInt64LE() % BigInt(rows)));
  return chosen;
}

function interval(values: readonly number[]): Recall {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  const half = 1.96 * Math.sqrt(variance / values.length);
  const round = (value: number): number => Math.round(Math.min(1, Math.max(0, value)) * 1e4) / 1e4;
  return { mean: round(mean), low: round(mean - half), high: round(mean + half) };
}

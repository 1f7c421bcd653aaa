/** Figures of one score over the samples that have it. */
export interface ScoreStatistics {
  n: number;
  mean: number;
  /** Of the sample. */
  deviation: number;
  /** By percentile. */
  quantiles: Record<string, number>;
}

const PERCENTILES = [0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100];

/** Undefined for no values. */
export function statisticsOf(values: readonly number[]): ScoreStatistics | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    n: sorted.length,
    mean,
    deviation: sorted.length > 1 ? Math.sqrt(squares / (sorted.length - 1)) : 0,
    quantiles: Object.fromEntries(PERCENTILES.map((percentile) => [String(percentile), quantile(sorted, percentile / 100)])),
  };
}

/** Of sorted values, between two of them in proportion, as numpy does by default. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const [low, high] = [Math.floor(at), Math.ceil(at)];
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}

/** Pearson's, over the pairs in which both are there; null where one of them does not vary. */
export function correlation(a: readonly (number | null)[], b: readonly (number | null)[]): number | null {
  const pairs = a.flatMap((x, i) => (x === null || b[i] === null || b[i] === undefined ? [] : [[x, b[i]] as const]));
  const n = pairs.length;
  if (n < 2) return null;
  const [meanX, meanY] = [pairs.reduce((sum, [x]) => sum + x, 0) / n, pairs.reduce((sum, [, y]) => sum + y, 0) / n];
  let [xy, xx, yy] = [0, 0, 0];
  for (const [x, y] of pairs) {
    xy += (x - meanX) * (y - meanY);
    xx += (x - meanX) ** 2;
    yy += (y - meanY) ** 2;
  }
  return xx === 0 || yy === 0 ? null : xy / Math.sqrt(xx * yy);
}

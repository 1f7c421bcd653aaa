import type { Clustered } from './cluster-embeddings.ts';
import type { SemdedupOptions } from './options.ts';

/** The rows one cluster after another, in each the one that stays before its duplicates. */
export interface ClusterOrder {
  /** Row by place. */
  rowAt: Uint32Array;
  /** Where each cluster begins, and where the last one ends. */
  starts: Int32Array;
}

/** `order` is the rows by hash; those without a cluster are left out. */
export function clusterOrder(order: Uint32Array, { count, clusters, cosines }: Clustered, whichToKeep: SemdedupOptions['whichToKeep']): ClusterOrder {
  const starts = new Int32Array(count + 1);
  for (const row of order) if (clusters[row]! >= 0) starts[clusters[row]! + 1]!++;
  for (let i = 0; i < count; i++) starts[i + 1]! += starts[i]!;
  const next = starts.slice();
  const rowAt = new Uint32Array(starts[count]!);
  for (const row of order) if (clusters[row]! >= 0) rowAt[next[clusters[row]!]!++] = row;
  if (whichToKeep === 'hash') return { rowAt, starts };
  const sign = whichToKeep === 'hard' ? 1 : -1;
  // The sort is stable: rows that are equally far stay in the order of their hashes.
  for (let i = 0; i < count; i++) rowAt.subarray(starts[i], starts[i + 1]).sort((a, b) => sign * (cosines[a]! - cosines[b]!));
  return { rowAt, starts };
}

import type { Table } from '@lancedb/lancedb';
import type { Modality, VectorIndexDescription } from '../contracts/index-description.ts';
import type { FlatVectors } from './flat-vectors.ts';
import { vectorColumn } from './index-schema.ts';

/** A result: best first, equal scores by id. */
export interface Hit {
  id: number;
  /** Inner product of the query and the float16 vector. */
  score: number;
}

/** What one modality is searched in. */
export interface SearchTarget extends VectorIndexDescription {
  table: Table;
  modality: Modality;
  vectors: FlatVectors;
  rows: number;
}

/** Candidates beyond k, so that rounding in the table's float32 sums can't push a true neighbour out. */
const SPARE_CANDIDATES = 16;
/** Scores nearer than this count as equal when it is asked whether all ties were seen. */
const TIE = 1e-6;

/**
 * Candidates from the table, rescored with the float16 file: LanceDB's own refine reads rows of the table, at 5 times
 * the CPU. The predicate is applied before the neighbours are chosen; after it, recall at 0.1 % selectivity is zero.
 * Exact search answers depend only on the vectors and ids, so two builds of the same rows answer alike.
 */
export async function searchVectors(
  target: SearchTarget,
  query: Float32Array,
  { k, where, nprobes, exact = false }: { k: number; where?: string | undefined; nprobes?: number | undefined; exact?: boolean | undefined },
): Promise<Hit[]> {
  if (k < 1 || target.rows === 0) return [];
  if (target.kind === 'ivf_rq' && !exact)
    return (await candidates(target, query, { limit: k * (target.refine ?? 1), where, nprobes: nprobes ?? target.nprobes })).slice(0, k);
  // Equal vectors (one caption on many pictures) may straddle the limit: which of them came would be chance.
  for (let limit = k + SPARE_CANDIDATES; ; limit *= 4) {
    const hits = await candidates(target, query, { limit, where });
    if (hits.length < limit || hits.length >= target.rows || hits.at(-1)!.score < hits[k - 1]!.score - TIE) return hits.slice(0, k);
  }
}

async function candidates(
  target: SearchTarget,
  query: Float32Array,
  { limit, where, nprobes }: { limit: number; where?: string | undefined; nprobes?: number | undefined },
): Promise<Hit[]> {
  let search = target.table
    .query()
    .nearestTo(query)
    .column(vectorColumn(target.modality))
    .distanceType('dot')
    .select(['id', '_distance'])
    .limit(Math.min(limit, target.rows));
  if (nprobes === undefined) search = search.bypassVectorIndex();
  // With a predicate the lists that are nearest may hold too few rows that pass: LanceDB then goes on to further lists.
  else search = where === undefined ? search.nprobes(nprobes) : search.minimumNprobes(nprobes).maximumNprobes(target.lists ?? 0);
  if (where !== undefined) search = search.where(where);
  const hits: Hit[] = [];
  const column = (await search.toArrow()).getChild('id');
  for (let i = 0; column && i < column.length; i++) {
    const id = Number(column.get(i) as bigint);
    hits.push({ id, score: target.vectors.dot(id - target.base, query) });
  }
  return hits.sort((a, b) => b.score - a.score || a.id - b.id);
}

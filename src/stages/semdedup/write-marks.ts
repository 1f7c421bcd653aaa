import { SemanticDuplicate } from '../../contracts/records.ts';
import type { RowWriter, ShardFiles } from '../../contracts/shard-files.ts';
import type { ClusterOrder } from './cluster-order.ts';
import type { NearestBefore } from './nearest-before.ts';

const ROWS_AT_ONCE = 50_000;

/**
 * Writes a row for each embedding that was compared, by ascending hash: so the file does not depend on the order of the parts. `order` is
 * the rows by hash.
 */
export async function writeMarks(
  files: ShardFiles,
  name: string,
  { hashes, order, clusters }: { hashes: BigInt64Array; order: Uint32Array; clusters: Int32Array },
  { rowAt }: ClusterOrder,
  { at, cosines }: NearestBefore,
  cosine: number,
): Promise<RowWriter<SemanticDuplicate>> {
  const writer = await files.parquet(name, SemanticDuplicate);
  const stays = whichStays({ at, cosines }, cosine);
  const placeOf = new Int32Array(hashes.length).fill(-1);
  for (const [place, row] of rowAt.entries()) placeOf[row] = place;
  const compared = order.filter((row) => placeOf[row]! >= 0);
  for (let start = 0; start < compared.length; start += ROWS_AT_ONCE) {
    const rows = compared.subarray(start, start + ROWS_AT_ONCE);
    const column = <Value>(valueOf: (place: number, row: number) => Value): Value[] => Array.from(rows, (row) => valueOf(placeOf[row]!, row));
    const hashAt = (place: number): bigint => hashes[rowAt[place]!]!;
    await writer.writeColumns(rows.length, {
      hash: column((_, row) => hashes[row]!),
      cluster: column((_, row) => clusters[row]!),
      nearest: column((place) => (at[place]! < 0 ? null : hashAt(at[place]!))),
      cosine: column((place) => (at[place]! < 0 ? null : cosines[place]!)),
      semantic_duplicate_of: column((place) => (stays[place] === place ? null : hashAt(stays[place]!))),
    });
  }
  return writer;
}

/**
 * By place: which embedding stays for each, itself where it is no duplicate. A duplicate leads to the most similar one before it, and that
 * one, where it is a duplicate too, to one before it: the last of such a chain has none and stays.
 */
export function whichStays({ at, cosines }: NearestBefore, cosine: number): Int32Array {
  const stays = new Int32Array(at.length);
  for (let place = 0; place < at.length; place++) stays[place] = cosines[place]! >= cosine ? stays[at[place]!]! : place;
  return stays;
}

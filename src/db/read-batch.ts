import { ShardError } from '../contracts/errors.ts';
import type { Database } from './client.ts';
import { linkColumns, restFromJson, type StagedLink } from './staged-link.ts';

/**
 * The links of an open batch in order of position, which is the order of hash: however often the batch is made, its
 * samples have the same order and keys. Throws ShardError where the batch is not open.
 */
export async function readBatch(sql: Database, shard: number): Promise<StagedLink[]> {
  const columns = linkColumns.map((column) => (column === 'rest' ? 'rest::text AS rest' : column)).join(', ');
  const rows = await sql.unsafe<(Omit<StagedLink, 'rest'> & { rest: string | null })[]>(
    `SELECT ${columns} FROM pairmill.batch_rows WHERE shard = $1 ORDER BY position`,
    [shard],
  );
  if (rows.length === 0) throw new ShardError(`Batch ${shard} is not open in the database: it was finished, or never drawn from this one.`);
  return rows.map((row) => ({ ...row, rest: row.rest === null ? null : restFromJson(row.rest) }));
}

import { createHash } from 'node:crypto';
import { sqlName, type WorkDatabase } from '../../formats/duckdb.ts';

/**
 * sha256 over the rows of a table or view whatever their order: over the sorted md5 of each row's values.
 * Null is told apart from the empty string by a character that no text of ours holds.
 */
export async function contentChecksum(database: WorkDatabase, table: string): Promise<string> {
  const columns = await database.all<{ column_name: string }>(`DESCRIBE SELECT * FROM ${table}`);
  const values = columns.map(({ column_name }) => `coalesce(${sqlName(column_name)}::VARCHAR, chr(1))`).join(', ');
  const sha256 = createHash('sha256');
  for await (const { digest } of database.stream<{ digest: string }>(`SELECT md5(concat_ws(chr(31), ${values})) AS digest FROM ${table} ORDER BY digest`))
    sha256.update(digest);
  return sha256.digest('hex');
}

import type { Database } from './client.ts';
import { type ColumnType, type RestColumn, widerType } from './further-values.ts';

/** The further columns that the links have brought, by position. */
export async function restColumns(sql: Database): Promise<RestColumn[]> {
  const rows = await sql<{ name: string; type: ColumnType }[]>`SELECT name, type FROM pairmill.columns ORDER BY position`;
  return rows.map(({ name, type }) => ({ name, type }));
}

/**
 * Takes a shard's further columns in, in its transaction: new ones get the next position, known ones a type that holds both.
 * Returns all columns, so that the position of each is known.
 */
export async function addRestColumns(sql: Database, brought: readonly RestColumn[]): Promise<RestColumn[]> {
  // No other shard may give the same positions away.
  if (brought.length > 0) await sql`LOCK TABLE pairmill.columns IN SHARE ROW EXCLUSIVE MODE`;
  const columns = await restColumns(sql);
  for (const { name, type } of brought) {
    const position = columns.findIndex((column) => column.name === name);
    if (position === -1) {
      await sql`INSERT INTO pairmill.columns (position, name, type) VALUES (${columns.length}, ${name}, ${type})`;
      columns.push({ name, type });
      continue;
    }
    const wider = widerType(columns[position]!.type, type);
    if (wider === columns[position]!.type) continue;
    await sql`UPDATE pairmill.columns SET type = ${wider} WHERE position = ${position}`;
    columns[position] = { name, type: wider };
  }
  return columns;
}

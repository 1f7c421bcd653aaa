import type { Database } from './client.ts';
import { linkColumns } from './link-rows.ts';
import { lockForChange } from './staging-locks.ts';

/** Sampled a quarter more than asked for, then cut: the share is an expectation, and a batch should be full. */
const OVERSAMPLE = 1.25;

/**
 * Takes up to `size` links at random as batch number `batch`; returns how many. One statement moves them from links to
 * batch_rows, so that a kill leaves them in one of the two; there they stay until the batch's file is known to be written.
 *
 * TABLESAMPLE SYSTEM reads whole pages, and only those that it picks. Its share comes from the exact count of live rows,
 * not from the pages, so that pages emptied by earlier draws do not matter. ORDER BY random() before the cut keeps the
 * table's end from being picked less often. A sample has no tail: where it brings less than a batch, the rest comes by a
 * scan in the table's order, so that every batch but the last is full and the table drains in one draw a batch. The delete
 * goes by an array of row addresses: a join might be planned as a scan of the whole table.
 */
export async function drawBatch(sql: Database, { batch, size }: { batch: number; size: number }): Promise<number> {
  const columns = linkColumns.join(', ');
  return sql.begin(async (transaction) => {
    await lockForChange(transaction as unknown as Database);
    const [staging] = await transaction<{ live: bigint }[]>`SELECT live FROM pairmill.staging`;
    const live = Number(staging?.live ?? 0);
    const percent = live === 0 ? 100 : Math.min(100, (100 * OVERSAMPLE * size) / live);
    const [drawn] = await transaction.unsafe<{ rows: bigint }[]>(
      `
      WITH sampled AS MATERIALIZED (
        SELECT ctid AS address FROM pairmill.links TABLESAMPLE SYSTEM (${percent}) ORDER BY random() LIMIT ${size} FOR UPDATE SKIP LOCKED
      ), tail AS MATERIALIZED (
        SELECT ctid AS address FROM pairmill.links
        WHERE NOT EXISTS (SELECT FROM sampled WHERE sampled.address = links.ctid)
        LIMIT (SELECT ${size} - count(*) FROM sampled)
        FOR UPDATE SKIP LOCKED
      ), taken AS (
        DELETE FROM pairmill.links
        WHERE ctid = ANY (ARRAY(SELECT address FROM sampled UNION ALL SELECT address FROM tail))
        RETURNING ${columns}
      ), counted AS (
        UPDATE pairmill.staging SET live = live - (SELECT count(*) FROM taken)
      ), known AS (
        INSERT INTO pairmill.batches (batch, size, hashes) SELECT ${batch}, ${size}, coalesce(array_agg(hash ORDER BY hash), '{}') FROM taken
      ), marked AS (
        INSERT INTO pairmill.batch_rows (batch, ${columns}) SELECT ${batch}, ${columns} FROM taken
      )
      SELECT count(*) AS rows FROM taken`,
    );
    return Number(drawn!.rows);
  });
}

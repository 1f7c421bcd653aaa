import type { Database } from './client.ts';
import { linkColumns } from './staged-link.ts';

export interface DrawnBatch {
  /** Number of the samples shard to make from it: 0, 1, 2, … without gaps. */
  readonly shard: number;
  readonly rows: number;
}

/** Sampled a quarter more than asked for, then cut: the share is an expectation, and a batch should be full. */
const OVERSAMPLE = 1.25;

/**
 * Takes up to `size` links at random, as a lease: one statement moves them from links to batch_rows under the next
 * shard number, so that a kill leaves them in one of the two. Returns undefined where no link is left (or other
 * draws hold all that are).
 *
 * TABLESAMPLE SYSTEM reads whole pages, and only those that it picks. Its share comes from the exact count of
 * live rows, not from the pages, so that pages emptied by earlier draws do not matter. ORDER BY random() before the
 * cut keeps the table's end from being picked less often. A sample has no tail: where it brings less than half a
 * batch, the rest comes by a scan in the table's order, so that the table drains in at most 2 draws a batch and one more.
 * The delete goes by an array of row addresses: a join might be planned as a scan of the whole table.
 *
 * Measured (2 busy cores, 2 M rows of 256 bytes): 7-9 batches of 10,000 a second with one caller, 10 with four;
 * LAION-5B's ten days of download took 0.7 a second.
 */
export async function drawBatch(
  sql: Database,
  { size, reached }: { size: number; reached?: ((point: string) => void) | undefined },
): Promise<DrawnBatch | undefined> {
  const columns = linkColumns.join(', ');
  const [live] = await sql<{ live: bigint }[]>`SELECT live FROM pairmill.staging`;
  if (live!.live === 0n) return undefined;
  const percent = Math.min(100, (100 * OVERSAMPLE * size) / Number(live!.live));
  const [drawn] = await sql.unsafe<DrawnBatch[]>(
    `
    WITH sampled AS MATERIALIZED (
      SELECT ctid AS address FROM pairmill.links TABLESAMPLE SYSTEM (${percent}) ORDER BY random() LIMIT ${size} FOR UPDATE SKIP LOCKED
    ), tail AS MATERIALIZED (
      SELECT ctid AS address FROM pairmill.links
      WHERE NOT EXISTS (SELECT FROM sampled WHERE sampled.address = links.ctid)
      LIMIT (SELECT CASE WHEN count(*) < ${size / 2} THEN ${size} - count(*) ELSE 0 END FROM sampled)
      FOR UPDATE SKIP LOCKED
    ), taken AS (
      DELETE FROM pairmill.links
      WHERE ctid = ANY (ARRAY(SELECT address FROM sampled UNION ALL SELECT address FROM tail))
      RETURNING ${columns}
    ), number AS (
      UPDATE pairmill.staging SET next_shard = next_shard + 1, live = live - (SELECT count(*) FROM taken)
      WHERE EXISTS (SELECT FROM taken)
      RETURNING next_shard - 1 AS shard
    ), batch AS (
      INSERT INTO pairmill.batches (shard, rows) SELECT shard, (SELECT count(*) FROM taken) FROM number
      RETURNING shard, rows
    ), leased AS (
      INSERT INTO pairmill.batch_rows (shard, position, ${columns})
      SELECT number.shard, row_number() OVER (ORDER BY hash) - 1, ${columns} FROM taken, number
    )
    SELECT shard, rows FROM batch`,
  );
  if (!drawn) return undefined;
  reached?.('draw.leased');
  return { shard: drawn.shard, rows: drawn.rows };
}

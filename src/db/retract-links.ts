import type { Database } from './client.ts';
import { linkColumns } from './link-rows.ts';

/**
 * Takes back what the shards from this number on have brought, in the transaction of the caller: their links that wait, and
 * their hashes. Those of links that are drawn count as vanished, until a shard has them again.
 */
export async function retractFrom(sql: Database, shard: number): Promise<void> {
  const known = await sql`DELETE FROM pairmill.ingested WHERE shard >= ${shard} RETURNING 1`;
  if (known.count === 0) return;
  await releaseLeases(sql);
  await sql`CREATE TEMP TABLE retracted (hash bigint NOT NULL) ON COMMIT DROP`;
  await sql`
    WITH gone AS (
      DELETE FROM pairmill.links USING pairmill.hashes WHERE links.hash = hashes.hash AND hashes.shard >= ${shard} RETURNING links.hash
    ) INSERT INTO retracted SELECT hash FROM gone`;
  await sql`DELETE FROM pairmill.hashes USING retracted WHERE hashes.hash = retracted.hash`;
  await sql`DROP TABLE retracted`;
  await sql`
    WITH drawn AS (DELETE FROM pairmill.hashes WHERE shard >= ${shard} RETURNING hash)
    INSERT INTO pairmill.vanished SELECT hash FROM drawn ON CONFLICT DO NOTHING`;
  await countLive(sql);
}

/** Puts the links of batches that have no file back to those that wait. */
export async function releaseLeases(sql: Database): Promise<void> {
  const released = await sql`DELETE FROM pairmill.batches WHERE digest IS NULL RETURNING batch`;
  if (released.count === 0) return;
  await putBack(
    sql,
    released.map((row) => row['batch'] as number),
  );
  await countLive(sql);
}

/** The same for one batch: it was drawn with other options. */
export async function releaseLease(sql: Database, batch: number): Promise<void> {
  await sql.begin(async (transaction) => {
    const inside = transaction as unknown as Database;
    await inside`DELETE FROM pairmill.batches WHERE batch = ${batch}`;
    await putBack(inside, [batch]);
    await countLive(inside);
  });
}

/** Where many rows come or go for a reason that is rare, counting them is simplest. */
export async function countLive(sql: Database): Promise<void> {
  await sql`UPDATE pairmill.staging SET live = (SELECT count(*) FROM pairmill.links)`;
}

async function putBack(sql: Database, batches: readonly number[]): Promise<void> {
  const list = `{${batches.join(',')}}`;
  const columns = linkColumns.join(', ');
  await sql.unsafe(
    `WITH back AS (DELETE FROM pairmill.batch_rows WHERE batch = ANY ($1::text::integer[]) RETURNING ${columns})
     INSERT INTO pairmill.links (${columns}) SELECT ${columns} FROM back`,
    [list],
  );
}

import type { Dataset } from '../contracts/dataset.ts';
import { ShardError } from '../contracts/errors.ts';
import type { Database } from './client.ts';
import { copyRows } from './copy-rows.ts';
import { LinkFileReader } from './link-file.ts';
import { linkColumns } from './link-rows.ts';
import { type ChainedShard, linkFiles } from './links-chain.ts';
import { openConnection } from './losable-connection.ts';
import { countLive } from './retract-links.ts';

/**
 * Batches whose files are gone get their links back, out of links/: to be written again as they were, so that what was
 * downloaded from them stays valid. Those of which a link has vanished, or that were drawn with another size, can't be had
 * again: what is left of them waits to be drawn anew.
 */
export async function restoreBatches(sql: Database, lost: readonly number[], size: number, links: Dataset, chain: readonly ChainedShard[]): Promise<void> {
  const connection = openConnection(sql);
  try {
    await Promise.race([connection.lost, restore(lost, size, links, chain, connection)]);
  } finally {
    await connection.sql.end({ timeout: 1 });
  }
}

async function restore(
  lost: readonly number[],
  size: number,
  links: Dataset,
  chain: readonly ChainedShard[],
  connection: ReturnType<typeof openConnection>,
): Promise<void> {
  const { sql, signal } = connection;
  const columns = linkColumns.join(', ');
  await sql`BEGIN`;
  await sql`CREATE TEMP TABLE missing ON COMMIT DROP AS SELECT unnest(hashes) AS hash, batch, size FROM pairmill.batches WHERE batch = ANY (${`{${lost.join(',')}}`}::text::integer[])`;
  await sql`
    CREATE TEMP TABLE again ON COMMIT DROP AS
    SELECT batch FROM missing LEFT JOIN pairmill.hashes USING (hash) GROUP BY batch, size HAVING size = ${size} AND bool_and(shard IS NOT NULL)`;
  // No shard has them any more, and now no batch does.
  await sql`DELETE FROM pairmill.vanished USING missing WHERE vanished.hash = missing.hash`;
  await sql.unsafe('CREATE TEMP TABLE found (LIKE pairmill.links) ON COMMIT DROP');
  const owners = await sql<{ shard: number }[]>`SELECT DISTINCT shard FROM missing JOIN pairmill.hashes USING (hash) ORDER BY shard`;
  for (const { shard: number } of owners) {
    const owner = chain.find((each) => each.number === number);
    if (!owner)
      throw new ShardError(
        `Links of shard ${number} of ${links.location} are needed to write batch ${lost.join(', ')} again, but the shard is not there. Run dedup again.`,
      );
    const readers: LinkFileReader[] = [];
    for (const file of await linkFiles(links, owner.shard)) readers.push(await LinkFileReader.open(file));
    await sql`TRUNCATE found`;
    await copyRows(connection, 'found', readers, { clean: true });
    // Of equal hashes the first row of the shard stays, and rows of a hash lie in their order in the table.
    await sql.unsafe(`
      CREATE TEMP TABLE placed ON COMMIT DROP AS
      SELECT DISTINCT ON (hash) found.*, again.batch FROM found JOIN missing USING (hash) JOIN pairmill.hashes USING (hash) LEFT JOIN again USING (batch)
      WHERE hashes.shard = ${number} ORDER BY hash, found.ctid`);
    await sql.unsafe(`INSERT INTO pairmill.batch_rows (batch, ${columns}) SELECT batch, ${columns} FROM placed WHERE batch IS NOT NULL`);
    await sql.unsafe(`INSERT INTO pairmill.links (${columns}) SELECT ${columns} FROM placed WHERE batch IS NULL`);
    await sql`DROP TABLE placed`;
  }
  await sql`DELETE FROM pairmill.batches WHERE batch = ANY (${`{${lost.join(',')}}`}::text::integer[]) AND batch NOT IN (SELECT batch FROM again)`;
  await sql`UPDATE pairmill.batches SET digest = NULL WHERE batch IN (SELECT batch FROM again)`;
  await countLive(sql);
  await sql`COMMIT`;
  signal.throwIfAborted();
}

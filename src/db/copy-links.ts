import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf, ShardError } from '../contracts/errors.ts';
import type { Database } from './client.ts';
import { copyChunks } from './copy-text.ts';
import { type LosableConnection, openConnection } from './losable-connection.ts';
import { linkColumns, type StagedLink } from './staged-link.ts';

export interface LinksShard {
  /** Name of the shard, unique in the run: `en/00000`. */
  readonly shard: string;
  /** What made the shard; a second ingest of the name with another fingerprint is an error. */
  readonly fingerprint: string;
  /** Read once, in order; not at all where the shard is in already. */
  readonly rows: Iterable<StagedLink> | AsyncIterable<StagedLink>;
  /** Called at `ingest.leased` (inside the transaction, before COPY) and `ingest.committing` (COMMIT is on its way). */
  readonly reached?: ((point: string) => void) | undefined;
}

export interface IngestedShard {
  /** Rows of the shard. */
  readonly rows: number;
  /** Positions of the rows that were dropped: their hash came before, in this shard or in another one. Ascending. */
  readonly duplicates: readonly number[];
  /** True where an earlier call had brought the rows. */
  readonly already: boolean;
}

/**
 * Brings one shard of links into the database: all its rows or, wherever the process or the server is killed, none.
 * Called again it does nothing and returns the same counts.
 *
 * The rows go into a table by the order of their hash. A hash is as good as random, so that the pages which
 * TABLESAMPLE SYSTEM returns whole hold no runs of one host; no seed and no memory is needed for it.
 *
 * Measured (2 busy cores): 50-75 k rows/s a connection, against 306-513 k rows/s of a bare COPY without the dedup;
 * 117-256 bytes a waiting link (as long as it is), and 68 bytes for ever in `hashes` when shards come one by one.
 *
 * Throws ShardError where a row can't be stored or the shard is in with another fingerprint.
 */
export async function copyLinks(sql: Database, { shard, fingerprint, rows, reached }: LinksShard): Promise<IngestedShard> {
  const connection = openConnection(sql);
  try {
    return await Promise.race([connection.lost, ingest(connection, { shard, fingerprint, rows, reached })]);
  } catch (error) {
    if (error instanceof ShardError) throw error;
    throw new ShardError(`links ${shard} can't be brought into the database: ${messageOf(error)}`, { cause: error });
  } finally {
    // Ending it rolls back what was not committed, and drops the temporary table.
    await connection.sql.end({ timeout: 1 });
  }
}

/**
 * The driver connects anew by itself after a loss, and would go on there outside of any transaction. So all that is
 * written is one statement, which needs this connection's temporary table, and a loss makes COMMIT's answer void.
 */
async function ingest({ sql, signal }: LosableConnection, { shard, fingerprint, rows, reached }: LinksShard): Promise<IngestedShard> {
  await sql`BEGIN`;
  // A second ingest of the same shard waits here until the first has committed.
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${shard}, 0))`;
  const known = await ingestedShard(sql, shard, fingerprint);
  if (known) {
    await sql`COMMIT`;
    return known;
  }
  reached?.('ingest.leased');
  await sql`CREATE TEMP TABLE incoming (position integer NOT NULL, LIKE pairmill.links) ON COMMIT DROP`;
  const target = await sql.unsafe(`COPY incoming (position, ${linkColumns.join(', ')}) FROM STDIN`).writable();
  await pipeline(Readable.from(copyChunks(rows), { objectMode: true }), target, { signal });
  const counts = await moveIncoming(sql, shard, fingerprint);
  const commit = sql`COMMIT`.execute();
  // The driver writes in the next turn of the event loop; two turns later the message has left this process.
  await nextTurn();
  await nextTurn();
  reached?.('ingest.committing');
  await commit;
  signal.throwIfAborted();
  return { ...counts, already: false };
}

async function ingestedShard(sql: Database, shard: string, fingerprint: string): Promise<IngestedShard | undefined> {
  const [row] = await sql<{ fingerprint: string; rows: bigint; duplicates: string }[]>`
    SELECT fingerprint, rows, array_to_string(duplicates, ',') AS duplicates FROM pairmill.ingested WHERE shard = ${shard}`;
  if (!row) return undefined;
  if (row.fingerprint !== fingerprint) {
    throw new ShardError(
      `links ${shard} are in the database from another input (fingerprint ${row.fingerprint.slice(0, 12)}…, now ${fingerprint.slice(0, 12)}…). Use another database or run folder.`,
    );
  }
  return { rows: Number(row.rows), duplicates: numbers(row.duplicates), already: true };
}

/**
 * Moves what is new from incoming to links, and writes down the shard and the new size of the staging table; of equal
 * hashes the first row of the shard stays.
 */
async function moveIncoming(sql: Database, shard: string, fingerprint: string): Promise<{ rows: number; duplicates: number[] }> {
  const columns = linkColumns.map((column) => `incoming.${column}`).join(', ');
  const [row] = await sql.unsafe<{ rows: bigint; duplicates: string; size: bigint }[]>(
    `
    WITH ranked AS MATERIALIZED (
      SELECT position, hash, row_number() OVER (PARTITION BY hash ORDER BY position) AS nth FROM incoming
    ), fresh AS (
      INSERT INTO pairmill.hashes SELECT hash FROM ranked WHERE nth = 1 ORDER BY hash ON CONFLICT DO NOTHING RETURNING hash
    ), kept AS MATERIALIZED (
      SELECT position FROM ranked JOIN fresh USING (hash) WHERE nth = 1
    ), placed AS (
      INSERT INTO pairmill.links (${linkColumns.join(', ')})
      SELECT ${columns} FROM incoming JOIN kept USING (position) ORDER BY incoming.hash
      RETURNING 1
    ), entry AS (
      INSERT INTO pairmill.ingested (shard, fingerprint, rows, duplicates)
      SELECT $1, $2, (SELECT count(*) FROM incoming), ARRAY(
        SELECT position FROM ranked WHERE NOT EXISTS (SELECT FROM kept WHERE kept.position = ranked.position) ORDER BY position)
      RETURNING rows, duplicates
    ), size AS (
      UPDATE pairmill.staging SET live = live + (SELECT count(*) FROM placed) RETURNING (SELECT count(*) FROM placed) AS placed
    )
    SELECT rows, array_to_string(duplicates, ',') AS duplicates, (SELECT placed FROM size) AS size FROM entry`,
    [shard, fingerprint],
  );
  const rows = Number(row!.rows);
  const duplicates = numbers(row!.duplicates);
  if (Number(row!.size) + duplicates.length !== rows) throw new Error(`${rows} rows came, ${row!.size} were placed and ${duplicates.length} are duplicates`);
  return { rows, duplicates };
}

function numbers(list: string): number[] {
  return list === '' ? [] : list.split(',').map(Number);
}

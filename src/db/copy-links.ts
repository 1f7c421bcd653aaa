import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf, ShardError } from '../contracts/errors.ts';
import type { Connection, Database } from './client.ts';
import { copyChunks } from './copy-text.ts';
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
 * MEASURED_COPY
 *
 * Throws ShardError where a row can't be stored or the shard is in with another fingerprint.
 */
export async function copyLinks(sql: Database, { shard, fingerprint, rows, reached }: LinksShard): Promise<IngestedShard> {
  const connection = await sql.reserve();
  try {
    await connection`BEGIN`;
    // A second ingest of the same shard waits here until the first has committed.
    const lease = await connection`INSERT INTO pairmill.ingested (shard, fingerprint, rows, duplicates) VALUES (${shard}, ${fingerprint}, 0, '{}') ON CONFLICT DO NOTHING`;
    if (lease.count === 0) {
      const known = await ingestedShard(connection, shard, fingerprint);
      await connection`COMMIT`;
      return known;
    }
    reached?.('ingest.leased');
    await copyIncoming(connection, rows);
    const counts = await moveIncoming(connection);
    await connection`UPDATE pairmill.ingested SET rows = ${counts.rows}, duplicates = ${`{${counts.duplicates.join(',')}}`}::text::integer[] WHERE shard = ${shard}`;
    // Last, as it locks the one row that draws and other ingests want too.
    await connection`UPDATE pairmill.staging SET live = live + ${counts.rows - counts.duplicates.length}::int`;
    const commit = connection`COMMIT`.execute();
    // The driver writes in the next turn of the event loop; two turns later the message has left this process.
    await nextTurn();
    await nextTurn();
    reached?.('ingest.committing');
    await commit;
    return { ...counts, already: false };
  } catch (error) {
    await connection`ROLLBACK`.catch(() => undefined);
    if (error instanceof ShardError) throw error;
    throw new ShardError(`links ${shard} can't be brought into the database: ${messageOf(error)}`, { cause: error });
  } finally {
    connection.release();
  }
}

async function ingestedShard(connection: Connection, shard: string, fingerprint: string): Promise<IngestedShard> {
  const [row] = await connection<{ fingerprint: string; rows: bigint; duplicates: string }[]>`
    SELECT fingerprint, rows, array_to_string(duplicates, ',') AS duplicates FROM pairmill.ingested WHERE shard = ${shard}`;
  if (row!.fingerprint !== fingerprint) {
    throw new ShardError(`links ${shard} are in the database from another input (fingerprint ${row!.fingerprint.slice(0, 12)}…, now ${fingerprint.slice(0, 12)}…). Use another database or run folder.`);
  }
  return { rows: Number(row!.rows), duplicates: numbers(row!.duplicates), already: true };
}

async function copyIncoming(connection: Connection, rows: LinksShard['rows']): Promise<void> {
  await connection`CREATE TEMP TABLE incoming (position integer NOT NULL, LIKE pairmill.links) ON COMMIT DROP`;
  const target = await connection.unsafe(`COPY incoming (position, ${linkColumns.join(', ')}) FROM STDIN`).writable();
  await pipeline(Readable.from(copyChunks(rows), { objectMode: true }), target);
}

/** Moves what is new from incoming to links; of equal hashes the first row of the shard stays. */
async function moveIncoming(connection: Connection): Promise<{ rows: number; duplicates: number[] }> {
  const columns = linkColumns.map((column) => `incoming.${column}`).join(', ');
  const [row] = await connection.unsafe<{ total: bigint; placed: bigint; duplicates: string }[]>(`
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
    )
    SELECT (SELECT count(*) FROM incoming) AS total,
           (SELECT count(*) FROM placed) AS placed,
           (SELECT coalesce(string_agg(position::text, ',' ORDER BY position), '') FROM ranked
             WHERE NOT EXISTS (SELECT FROM kept WHERE kept.position = ranked.position)) AS duplicates`);
  const rows = Number(row!.total);
  const duplicates = numbers(row!.duplicates);
  if (Number(row!.placed) + duplicates.length !== rows) throw new Error(`${rows} rows came, ${row!.placed} were placed and ${duplicates.length} are duplicates`);
  return { rows, duplicates };
}

function numbers(list: string): number[] {
  return list === '' ? [] : list.split(',').map(Number);
}

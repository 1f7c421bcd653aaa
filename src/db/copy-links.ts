import { setImmediate as nextTurn } from 'node:timers/promises';
import { RunError, systemCode } from '../contracts/errors.ts';
import type { Database } from './client.ts';
import { copyHashes, copyPositions, copyRows } from './copy-rows.ts';
import { databaseError } from './database-error.ts';
import { type LinkFile, LinkFileReader } from './link-file.ts';
import { type LosableConnection, openConnection } from './losable-connection.ts';
import { retractFrom } from './retract-links.ts';
import { lockForChange } from './staging-locks.ts';

export interface LinksShard {
  readonly shard: number;
  /** Of the shard and all before it (`chainOf`): what decides which of its rows are duplicates. */
  readonly chain: string;
  /** Read in order; not at all where the shard is in already. */
  readonly files: readonly LinkFile[];
  readonly signal?: AbortSignal | undefined;
  /** True where the caller has locked the tables for itself. */
  readonly locked?: boolean;
  /** Called with rows that were read. */
  readonly progress?: ((rows: number) => void) | undefined;
  /** Called at `leased` (inside the transaction, before COPY) and `committing` (COMMIT is on its way). */
  readonly reached?: ((point: string) => void) | undefined;
}

export interface CopiedShard {
  /** Rows of the shard. */
  readonly rows: number;
  /** Positions of the rows that were dropped (`droppedLinks` says why): their hash came before, in this shard or in one before it, or their URL is too long. Ascending. */
  readonly dropped: readonly number[];
  /** True where an earlier call had brought the rows. */
  readonly already: boolean;
  /** Values that were left out because they are absurdly long, by column. */
  readonly tooLong: ReadonlyMap<string, number>;
  /** Texts that were cut. */
  readonly cut: number;
}

const NOT_UTF8 = '22021';
const NOT_UNIQUE = '23505';

/**
 * Brings one shard of links into the database: all its rows or, wherever the process or the server is killed, none. Called
 * again it does nothing and returns the same counts. Where its links (or those of a shard before it) have changed, the
 * rows that it and all later shards have brought are taken back first; rows of it that are drawn already stay drawn.
 *
 * Throws ShardError where a row can't be stored, RunError where the database is gone.
 */
export async function copyLinks(sql: Database, shard: LinksShard): Promise<CopiedShard> {
  try {
    return await copyOnce(sql, shard, false);
  } catch (error) {
    shard.signal?.throwIfAborted();
    if (systemCode(error) !== NOT_UTF8) throw databaseError(`links ${shard.shard} can't be brought into the database`, error);
  }
  try {
    return await copyOnce(sql, shard, true);
  } catch (error) {
    throw databaseError(`links ${shard.shard} can't be brought into the database`, error);
  }
}

async function copyOnce(sql: Database, shard: LinksShard, clean: boolean): Promise<CopiedShard> {
  const connection = openConnection(sql, shard.signal);
  try {
    return await Promise.race([connection.lost, copy(connection, shard, clean)]);
  } finally {
    // Ending it rolls back what was not committed, and drops the temporary tables.
    await connection.sql.end({ timeout: 1 });
  }
}

/**
 * The driver connects anew by itself after a loss, and would go on there outside of any transaction. So all that is
 * written needs this connection's temporary table, and a loss makes COMMIT's answer void.
 */
async function copy(connection: LosableConnection, { shard, chain, files, locked, progress, reached }: LinksShard, clean: boolean): Promise<CopiedShard> {
  const { sql, signal } = connection;
  await sql`BEGIN`;
  if (!locked) await lockForChange(sql);
  // A second copy of the same shard waits here until the first has committed.
  await sql`SELECT pg_advisory_xact_lock(hashtextextended('pairmill shard', ${BigInt(shard)}))`;
  const known = await copiedShard(sql, shard, chain);
  if (known) {
    await sql`COMMIT`;
    return known;
  }
  await retractFrom(sql, shard);
  reached?.('leased');
  const readers: LinkFileReader[] = [];
  for (const file of files) readers.push(await LinkFileReader.open(file));
  const { rows, dropped, drawn, cut } = (await addHashes(connection, shard, readers)) ?? (await claimHashes(connection, shard, readers));
  const skip = new Set([...dropped, ...drawn]);
  const { tooLong } = await copyRows(connection, 'pairmill.links', readers, { skip, clean, read: progress });
  await sql`INSERT INTO pairmill.ingested (shard, chain, rows, dropped) VALUES (${shard}, ${chain}, ${rows}, ${`{${dropped.join(',')}}`}::text::integer[])`;
  const counted = await sql`UPDATE pairmill.staging SET live = live + ${rows - skip.size}`;
  if (counted.count === 0) throw new RunError('The database has lost its tables meanwhile. Start the same command again: they are filled anew from the links.');
  const commit = sql`COMMIT`.execute();
  // The driver writes in the next turn of the event loop; two turns later the message has left this process.
  await nextTurn();
  await nextTurn();
  reached?.('committing');
  await commit;
  signal.throwIfAborted();
  return { rows, dropped, already: false, tooLong, cut };
}

async function copiedShard(sql: Database, shard: number, chain: string): Promise<CopiedShard | undefined> {
  const [row] = await sql<{ rows: bigint; dropped: string }[]>`
    SELECT rows, array_to_string(dropped, ',') AS dropped FROM pairmill.ingested WHERE shard = ${shard} AND chain = ${chain}`;
  return row && { rows: Number(row.rows), dropped: numbers(row.dropped), already: true, tooLong: new Map(), cut: 0 };
}

/** What became of the hashes of a shard: positions of rows that are dropped, and of links that are drawn already. */
interface ClaimedHashes {
  rows: number;
  dropped: readonly number[];
  cut: number;
  /** They are the shard's, but wait no more. */
  drawn: number[];
}

/** The usual case, in which all hashes are new; undefined where one is not. A third of the time of `claimHashes`. */
async function addHashes(connection: LosableConnection, shard: number, readers: readonly LinkFileReader[]): Promise<ClaimedHashes | undefined> {
  const { sql } = connection;
  const [vanished] = await sql<{ some: boolean }[]>`SELECT EXISTS (SELECT FROM pairmill.vanished) AS some`;
  if (vanished!.some) return undefined;
  await sql`SAVEPOINT hashes`;
  try {
    const { rows, leftOut, cut } = await copyHashes(connection, readers, shard);
    return { rows, dropped: leftOut, drawn: [], cut };
  } catch (error) {
    if (systemCode(error) !== NOT_UNIQUE) throw error;
    await sql`ROLLBACK TO hashes`;
    return undefined;
  }
}

/** Gives the shard the hashes that none before it has. */
async function claimHashes(connection: LosableConnection, shard: number, readers: readonly LinkFileReader[]): Promise<ClaimedHashes> {
  const { sql } = connection;
  await sql`CREATE TEMP TABLE incoming (position integer NOT NULL, hash bigint NOT NULL) ON COMMIT DROP`;
  await sql`CREATE TEMP TABLE adopted (hash bigint NOT NULL) ON COMMIT DROP`;
  const { rows, leftOut, cut } = await copyPositions(connection, 'incoming', readers);
  await sql`
    WITH found AS (DELETE FROM pairmill.vanished WHERE hash IN (SELECT hash FROM incoming) RETURNING hash)
    INSERT INTO adopted SELECT hash FROM found`;
  await sql`INSERT INTO pairmill.hashes (hash, shard) SELECT hash, ${shard}::integer FROM incoming ORDER BY hash ON CONFLICT DO NOTHING`;
  const [row] = await sql<{ duplicates: string; drawn: string }[]>`
    WITH ranked AS (
      SELECT position, hash, row_number() OVER (PARTITION BY hash ORDER BY position) AS nth FROM incoming
    ), judged AS (
      SELECT position, nth > 1 OR hashes.shard <> ${shard} AS duplicate, adopted.hash IS NOT NULL AS drawn
      FROM ranked JOIN pairmill.hashes USING (hash) LEFT JOIN adopted USING (hash)
    )
    SELECT coalesce(string_agg(position::text, ',' ORDER BY position) FILTER (WHERE duplicate), '') AS duplicates,
      coalesce(string_agg(position::text, ',' ORDER BY position) FILTER (WHERE drawn AND NOT duplicate), '') AS drawn
    FROM judged`;
  return { rows, dropped: [...leftOut, ...numbers(row!.duplicates)].sort((a, b) => a - b), drawn: numbers(row!.drawn), cut };
}

function numbers(list: string): number[] {
  return list === '' ? [] : list.split(',').map(Number);
}

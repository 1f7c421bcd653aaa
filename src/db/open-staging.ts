import { ShardError, UsageError } from '../contracts/errors.ts';
import type { RunContext } from '../contracts/stage.ts';
import { settleBatches } from './batch-files.ts';
import { connect, type Database } from './client.ts';
import { databaseError } from './database-error.ts';
import { drawBatch } from './draw-batch.ts';
import { openConnection } from './losable-connection.ts';
import { migrate } from './migrate.ts';
import { reconcile, type StagingSources } from './reconcile.ts';
import { releaseLease } from './retract-links.ts';
import { claimStaging } from './staging-owner.ts';

/** The links table of a run, as far as a stage can see it: kept open for its thread. */
interface OpenStaging {
  readonly sql: Database;
  /** As of the last comparison with links/ and batches/. */
  token: string | undefined;
  /** Batches that this thread has drawn. */
  readonly made: Set<number>;
  close(): Promise<void>;
}

/** The staging tables of PostgreSQL, up to date with links/ and batches/. */
export interface Staging {
  readonly sql: Database;
  /** What the user should know of how they were brought up to date: a sentence each. */
  readonly notes: readonly string[];
  /** Lets go of batches whose files are there. False where batches/ and the tables contradict each other: open them anew. */
  settle(): Promise<boolean>;
  /**
   * Marks `size` links, or what is left, as the batch's; a batch that is marked already stays as it is. `waiting` links are in no
   * file of a batch: where fewer are there it marks none and returns false, as the tables are not what links/ minus batches/ says.
   */
  draw(batch: number, size: number, waiting: number): Promise<boolean>;
}

/**
 * The database of the run, migrated, claimed for it, and compared with links/ and batches/: with the first call of a thread,
 * after the server has lost what it held, and where `anew` says so. Throws UsageError where another run has it.
 */
export async function openStaging(
  context: Pick<RunContext<unknown>, 'resources' | 'database' | 'runId' | 'runLocation'>,
  sources: StagingSources,
  { signal, anew = false }: { signal?: AbortSignal; anew?: boolean } = {},
): Promise<Staging> {
  const url = await context.database();
  const owner = { id: context.runId, location: context.runLocation };
  const open = await context.resources.get('staging', { url, ...owner, draws: sources.batches !== undefined }, async (): Promise<OpenStaging> => {
    // One connection: the locks that say who uses the database are the connection's.
    const first = await connect(url, { max: 1 });
    try {
      await migrate(first);
    } finally {
      await first.end();
    }
    const { sql } = openConnection(first);
    try {
      await claimStaging(sql, owner);
    } catch (error) {
      await sql.end({ timeout: 1 });
      throw error instanceof UsageError ? error : databaseError('The tables of the links', error);
    }
    return { sql, token: undefined, made: new Set(), close: () => sql.end({ timeout: 1 }) };
  });
  try {
    const notes = anew || !(await isCurrent(open)) ? await bringUpToDate(open, sources, signal) : [];
    return {
      sql: open.sql,
      notes,
      settle: async () => {
        const { unknown, lost, contradiction } = await settleBatches(open.sql, sources.batches!, open.made);
        return unknown.length === 0 && lost.length === 0 && !contradiction;
      },
      draw: (batch, size, waiting) => markBatch(open, batch, size, waiting),
    };
  } catch (error) {
    signal?.throwIfAborted();
    throw databaseError('The tables of the links', error);
  }
}

async function markBatch({ sql, made }: OpenStaging, batch: number, size: number, waiting: number): Promise<boolean> {
  const [known] = await sql<{ size: number; digest: string | null }[]>`SELECT size, digest FROM pairmill.batches WHERE batch = ${batch}`;
  if (known && known.digest !== null)
    throw new ShardError(
      `Batch ${batch} was drawn and its file is gone, but without links/ it can't be written again. Give the folder of the links with --input.`,
    );
  // What another size has left of a killed run.
  if (known && known.size !== size) await releaseLease(sql, batch);
  if (known?.size !== size) {
    const [others] = await sql<{ marked: bigint }[]>`SELECT count(*) AS marked FROM pairmill.batch_rows WHERE batch <> ${batch}`;
    if ((await drawBatch(sql, { batch, size })) < Math.min(size, waiting - Number(others!.marked))) {
      await releaseLease(sql, batch);
      return false;
    }
  }
  made.add(batch);
  return true;
}

async function isCurrent({ sql, token }: OpenStaging): Promise<boolean> {
  const [staging] = await sql<{ token: string }[]>`SELECT token::text AS token FROM pairmill.staging`;
  return token !== undefined && staging?.token === token;
}

async function bringUpToDate(open: OpenStaging, sources: StagingSources, signal: AbortSignal | undefined): Promise<string[]> {
  const { token, notes } = await reconcile(open.sql, sources, open.made, signal);
  open.token = token;
  return notes;
}

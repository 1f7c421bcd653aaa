import { UsageError } from '../contracts/errors.ts';
import type { Database } from './client.ts';
import { OWNER_LOCK } from './staging-locks.ts';

/** Whose links a database holds. */
export interface StagingOwner {
  /** Of the run; a copy of its folder has the same. */
  readonly id: string;
  readonly location: string;
}

/**
 * Makes the database this run's, and keeps it in use as long as the one connection of `sql` lasts. A run that was moved or
 * copied takes it over from the former place; what then does not fit is found by `reconcile`. Throws UsageError where another
 * run uses it now, or where it holds the links of another run.
 */
export async function claimStaging(sql: Database, owner: StagingOwner): Promise<void> {
  await sql`SELECT pg_advisory_lock(${OWNER_LOCK})`;
  try {
    const [row] = await sql<{ id: string; location: string }[]>`SELECT id, location FROM pairmill.run`;
    if (row && (row.id !== owner.id || row.location !== owner.location)) await assertFree(sql, row, owner);
    if (!row) await sql`INSERT INTO pairmill.run (id, location) VALUES (${owner.id}, ${owner.location})`;
    else await sql`UPDATE pairmill.run SET id = ${owner.id}, location = ${owner.location}`;
    await sql`SELECT pg_advisory_lock_shared(hashtextextended(${inUse(owner)}, 0))`;
  } finally {
    await sql`SELECT pg_advisory_unlock(${OWNER_LOCK})`.catch(() => undefined);
  }
}

async function assertFree(sql: Database, former: StagingOwner, owner: StagingOwner): Promise<void> {
  const [lock] = await sql<{ free: boolean }[]>`SELECT pg_try_advisory_lock(hashtextextended(${inUse(former)}, 0)) AS free`;
  if (!lock!.free)
    throw new UsageError(
      `The database is in use by the run in ${former.location}. Give ${owner.location} a database of its own with --db, or wait until that run has ended.`,
    );
  await sql`SELECT pg_advisory_unlock(hashtextextended(${inUse(former)}, 0))`;
  if (former.id === owner.id) return;
  const [content] = await sql<{ holds: boolean }[]>`SELECT EXISTS (SELECT FROM pairmill.ingested) OR EXISTS (SELECT FROM pairmill.batches) AS holds`;
  if (content!.holds)
    throw new UsageError(
      `The database holds the links of another run, in ${former.location}. Give another database with --db; or, if that run is finished or may copy its links in again, drop the schema pairmill.`,
    );
}

function inUse({ id, location }: StagingOwner): string {
  return `pairmill run ${id} in ${location}`;
}

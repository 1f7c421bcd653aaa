import type { Database } from './client.ts';

/**
 * Advisory locks of the staging tables. Whoever adds or draws links holds CHANGES shared, for its transaction; whoever takes
 * stock of all tables holds it alone.
 */
const CHANGES = 5_850_000_001n;
/** One at a time decides whose the tables are. */
export const OWNER_LOCK = 5_850_000_002n;

/** Until the end of the transaction. */
export async function lockForChange(sql: Database): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock_shared(${CHANGES})`;
}

/** Runs `task` while nobody else adds or draws links. `sql` is one connection; `task` makes its own transactions on it. */
export async function lockedAlone<T>(sql: Database, task: () => Promise<T>): Promise<T> {
  await sql`SELECT pg_advisory_lock(${CHANGES})`;
  try {
    return await task();
  } finally {
    await sql`SELECT pg_advisory_unlock(${CHANGES})`.catch(() => undefined);
  }
}

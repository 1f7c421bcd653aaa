import type { Database } from './client.ts';

/**
 * Marks a batch as done and lets go of its links. For after the marker of its samples is on disk; before, a kill
 * would lose them. Idempotent. One statement: done and deleted together.
 */
export async function finishBatch(sql: Database, shard: number): Promise<void> {
  await sql`
    WITH done AS (UPDATE pairmill.batches SET state = 'done', done_at = now() WHERE shard = ${shard} AND state = 'drawn')
    DELETE FROM pairmill.batch_rows WHERE shard = ${shard}`;
}

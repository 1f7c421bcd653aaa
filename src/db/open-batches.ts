import type { Database } from './client.ts';
import type { DrawnBatch } from './draw-batch.ts';

/** Batches that were drawn and not finished, oldest first: what a run that was killed left to do. */
export async function openBatches(sql: Database): Promise<DrawnBatch[]> {
  const rows = await sql<DrawnBatch[]>`SELECT shard, rows FROM pairmill.batches WHERE state = 'drawn' ORDER BY shard`;
  return rows.map(({ shard, rows: count }) => ({ shard, rows: count }));
}

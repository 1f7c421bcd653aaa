import type { Database } from './client.ts';
import type { DrawnBatch } from './draw-batch.ts';

/** Batches whose samples are made, oldest first. */
export async function finishedBatches(sql: Database): Promise<DrawnBatch[]> {
  const rows = await sql<DrawnBatch[]>`SELECT shard, rows FROM pairmill.batches WHERE state = 'done' ORDER BY shard`;
  return rows.map(({ shard, rows: count }) => ({ shard, rows: count }));
}

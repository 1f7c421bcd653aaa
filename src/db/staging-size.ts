import type { Database } from './client.ts';

/**
 * Links that wait to be drawn: exact, and read from one row, so that ingress can ask before every shard whether
 * staging is full. Drawn batches do not count.
 */
export async function stagingSize(sql: Database): Promise<number> {
  const [row] = await sql<{ live: bigint }[]>`SELECT live FROM pairmill.staging`;
  return Number(row!.live);
}

import type { Database } from './client.ts';

/** Links that were drawn and that links/ does not have any more. */
export interface VanishedLinks {
  readonly links: number;
  /** Numbers of the batches that have them, ascending. */
  readonly batches: readonly number[];
}

export async function vanishedLinks(sql: Database): Promise<VanishedLinks> {
  const [row] = await sql<{ links: bigint }[]>`SELECT count(*) AS links FROM pairmill.vanished`;
  if (row!.links === 0n) return { links: 0, batches: [] };
  const batches = await sql<{ batch: number }[]>`
    SELECT DISTINCT batch FROM (SELECT batch, unnest(hashes) AS hash FROM pairmill.batches) AS drawn JOIN pairmill.vanished USING (hash) ORDER BY batch`;
  return { links: Number(row!.links), batches: batches.map(({ batch }) => batch) };
}

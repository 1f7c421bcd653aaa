import type { Database } from './client.ts';

/** A batch with links that were drawn and that links/ does not have any more. */
export interface VanishedLinks {
  readonly batch: number;
  /** Of the batch's file; null where that is not known to be written. */
  readonly digest: string | null;
  readonly links: number;
}

/** By ascending number of the batch. */
export async function vanishedLinks(sql: Database): Promise<VanishedLinks[]> {
  const batches = await sql<{ batch: number; digest: string | null; links: bigint }[]>`
    SELECT batch, digest, count(*) AS links FROM (SELECT batch, digest, unnest(hashes) AS hash FROM pairmill.batches) AS drawn
    JOIN pairmill.vanished USING (hash) GROUP BY batch, digest ORDER BY batch`;
  return batches.map(({ batch, digest, links }) => ({ batch, digest, links: Number(links) }));
}

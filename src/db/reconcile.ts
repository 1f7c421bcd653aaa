import { counted } from '../contracts/counted.ts';
import { rm } from 'node:fs/promises';
import type { Dataset } from '../contracts/dataset.ts';
import { registerBatches, settleBatches } from './batch-files.ts';
import type { Database } from './client.ts';
import { copyLinks } from './copy-links.ts';
import { type ChainedShard, chained, linkFiles } from './links-chain.ts';
import { restoreBatches } from './restore-batches.ts';
import { retractFrom } from './retract-links.ts';
import { lockedAlone } from './staging-locks.ts';

/** What the database is made from, and can be made again from. */
export interface StagingSources {
  /** Undefined where it is not there (any more): then nothing can be copied again. */
  readonly links: Dataset | undefined;
  /** Markers only: which shards of links are to be in the database. */
  readonly ingest: Dataset;
  /** Undefined where the caller adds links and does not draw them. */
  readonly batches: Dataset | undefined;
  /** Links of a batch, of a caller that draws. */
  readonly size?: number;
  /** True where no further shard of links will come. */
  readonly complete?: boolean;
}

export interface Reconciled {
  /** Until it is another one, the database stays as it was found. */
  readonly token: string;
  /** What the user should know: a sentence each. */
  readonly notes: string[];
}

/**
 * Brings the database to what links/ minus batches/ says, whatever has happened to it: emptied by a crash, deleted, another
 * one, that of another copy of the run. What is as it should be is left alone, so that in a quiet run this only compares.
 * `sql` is one connection; `made` as in `settleBatches`.
 */
export async function reconcile(sql: Database, sources: StagingSources, made: ReadonlySet<number>, signal?: AbortSignal): Promise<Reconciled> {
  return lockedAlone(sql, async () => {
    const notes: string[] = [];
    await sql`INSERT INTO pairmill.staging DEFAULT VALUES ON CONFLICT DO NOTHING`;
    const chain = sources.links ? chained((await sources.links.state()).shards) : undefined;
    const skipped = new Set((await sources.ingest.state()).skipped?.map(Number));
    if (chain && chain.length > 0) await retractChanged(sql, chain, skipped, sources.complete ?? false);
    let comparison = sources.batches && (await settleBatches(sql, sources.batches, made));
    if (comparison?.contradiction) {
      await empty(sql);
      notes.push('The database did not fit the batches that are written, and was filled anew from the links.');
      comparison = await settleBatches(sql, sources.batches!, made);
    }
    if (comparison) {
      const { unknown } = comparison;
      await sql.begin(async (transaction) => registerBatches(transaction as unknown as Database, sources.batches!, unknown));
    }
    const again = chain ? await copyMissing(sql, sources, chain, skipped, signal) : 0;
    if (again > 0)
      notes.push(
        `${counted(again, 'shards')} of links ${again === 1 ? 'was' : 'were'} not in the database (any more) and ${again === 1 ? 'has' : 'have'} been copied again.`,
      );
    if (comparison && comparison.lost.length > 0 && chain && sources.size !== undefined)
      await restoreBatches(sql, comparison.lost, sources.size, sources.links!, chain);
    const [staging] = await sql<{ token: string }[]>`SELECT token::text AS token FROM pairmill.staging`;
    return { token: staging!.token, notes };
  });
}

/**
 * Takes back what came from shards that are other ones now, or gone, or were skipped after they had come in. Their own ingest brings
 * what they have now.
 */
async function retractChanged(sql: Database, chain: readonly ChainedShard[], skipped: ReadonlySet<number>, complete: boolean): Promise<void> {
  const now = new Map(chain.filter(({ number }) => !skipped.has(number)).map((shard) => [shard.number, shard.chain]));
  // A later one may have come since links/ was looked at.
  const last = complete ? Infinity : chain.at(-1)!.number;
  const known = await sql<{ shard: number; chain: string }[]>`SELECT shard, chain FROM pairmill.ingested ORDER BY shard`;
  const changed = known.find((shard) => shard.shard <= last && now.get(shard.shard) !== shard.chain);
  if (!changed) return;
  await sql.begin(async (transaction) => retractFrom(transaction as unknown as Database, changed.shard));
}

/** Copies the shards whose ingest is finished and that the database lacks, in order; returns how many. */
async function copyMissing(
  sql: Database,
  { links, ingest }: StagingSources,
  chain: readonly ChainedShard[],
  skipped: ReadonlySet<number>,
  signal?: AbortSignal,
): Promise<number> {
  const known = new Set((await sql<{ shard: number }[]>`SELECT shard FROM pairmill.ingested`).map(({ shard }) => shard));
  const finished = new Set((await ingest.state()).shards.map(({ name }) => Number(name)));
  let copied = 0;
  for (const { number, shard, chain: before } of chain) {
    if (known.has(number) || skipped.has(number)) continue;
    // Those after it depend on it: they are not in either, and come when it has.
    if (!finished.has(number)) break;
    const files = await linkFiles(links!, shard);
    await copyLinks(sql, { shard: number, chain: before, files, signal, locked: true });
    if (links!.storage.remote) for (const { path } of files) await rm(path, { force: true });
    copied++;
  }
  return copied;
}

async function empty(sql: Database): Promise<void> {
  await sql.unsafe(
    `TRUNCATE pairmill.links, pairmill.hashes, pairmill.vanished, pairmill.ingested, pairmill.batches, pairmill.batch_rows, pairmill.columns, pairmill.staging;
     INSERT INTO pairmill.staging DEFAULT VALUES`,
  );
}

import { rm } from 'node:fs/promises';
import type { Dataset, PublishedShard } from '../contracts/dataset.ts';
import { readParquet } from '../formats/parquet.ts';
import type { Database } from './client.ts';
import { countLive, releaseLeases } from './retract-links.ts';

interface KnownBatch {
  batch: number;
  digest: string | null;
}

/** What batches/ and the database say of each other. */
export interface BatchComparison {
  /** Files of which the database knows nothing. */
  readonly unknown: readonly PublishedShard[];
  /** Batches whose file was finished and is gone. */
  readonly lost: readonly number[];
  /** True where a batch is another one in the file than in the database: nothing explains that but another run's use. */
  readonly contradiction: boolean;
}

/**
 * Compares, and lets go of the links of batches whose files are now there. `made` are batches that this process has drawn
 * and written, so that their files need not be read again.
 */
export async function settleBatches(sql: Database, batches: Dataset, made: ReadonlySet<number>): Promise<BatchComparison> {
  const known = new Map((await sql<KnownBatch[]>`SELECT batch, digest FROM pairmill.batches`).map(({ batch, digest }) => [batch, digest]));
  const { shards } = await batches.state();
  const unknown: PublishedShard[] = [];
  let contradiction = false;
  for (const shard of shards) {
    const batch = Number(shard.name);
    const digest = known.get(batch);
    if (digest === undefined) unknown.push(shard);
    else if (digest === null) {
      if (made.has(batch) || (await sameHashes(sql, batch, await batchHashes(batches, shard)))) await settle(sql, batch, shard.digest);
      else contradiction = true;
    } else if (digest !== shard.digest) contradiction = true;
  }
  const there = new Set(shards.map(({ name }) => Number(name)));
  return { unknown, contradiction, lost: [...known].flatMap(([batch, digest]) => (digest !== null && !there.has(batch) ? [batch] : [])) };
}

/**
 * Takes in batches whose files are there and of which the database knows nothing: their links don't wait, and a shard that
 * has them brings them no more. In the transaction of the caller.
 */
export async function registerBatches(sql: Database, batches: Dataset, unknown: readonly PublishedShard[]): Promise<void> {
  if (unknown.length === 0) return;
  // A link may be leased to another batch by now.
  await releaseLeases(sql);
  await sql`CREATE TEMP TABLE registered (hash bigint NOT NULL) ON COMMIT DROP`;
  for (const shard of unknown) {
    const hashes = `{${(await batchHashes(batches, shard)).join(',')}}`;
    const size = Number(shard.madeBy?.options['numberSamplePerShard'] ?? shard.out ?? 0);
    await sql`INSERT INTO pairmill.batches (batch, size, hashes, digest) VALUES (${Number(shard.name)}, ${size}, ${hashes}::text::bigint[], ${shard.digest})`;
    await sql`INSERT INTO registered SELECT unnest(${hashes}::text::bigint[])`;
  }
  await sql`DELETE FROM pairmill.links USING registered WHERE links.hash = registered.hash`;
  await sql`
    INSERT INTO pairmill.vanished SELECT DISTINCT hash FROM registered
    WHERE NOT EXISTS (SELECT FROM pairmill.hashes WHERE hashes.hash = registered.hash) ON CONFLICT DO NOTHING`;
  await sql`DROP TABLE registered`;
  await countLive(sql);
}

async function settle(sql: Database, batch: number, digest: string): Promise<void> {
  await sql`
    WITH done AS (UPDATE pairmill.batches SET digest = ${digest} WHERE batch = ${batch})
    DELETE FROM pairmill.batch_rows WHERE batch = ${batch}`;
}

async function sameHashes(sql: Database, batch: number, hashes: readonly bigint[]): Promise<boolean> {
  const [row] = await sql<{ same: boolean }[]>`SELECT hashes = ${`{${hashes.join(',')}}`}::text::bigint[] AS same FROM pairmill.batches WHERE batch = ${batch}`;
  return row!.same;
}

async function batchHashes(batches: Dataset, { name }: PublishedShard): Promise<bigint[]> {
  const path = await batches.fetch(`${name}.parquet`);
  const hashes: bigint[] = [];
  for await (const { hash } of readParquet<{ hash: bigint }>(path, ['hash'])) hashes.push(hash);
  if (batches.storage.remote) await rm(path, { force: true });
  return hashes;
}

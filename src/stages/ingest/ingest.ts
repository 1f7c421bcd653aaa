import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import { type Link, type SetName, setNames } from '../../contracts/records.ts';
import type { Stage } from '../../contracts/stage.ts';
import { connect, type Database } from '../../db/client.ts';
import { copyLinks } from '../../db/copy-links.ts';
import type { StagedLink } from '../../db/staged-link.ts';
import { readParquet } from '../../formats/parquet.ts';
import { fingerprintOf } from '../../runtime/completion.ts';
import { publishedInputs } from '../../runtime/shard-inputs.ts';

const ingestOptions = z.object({});

/** One pool a worker thread, to the database of its run. */
let pool: { url: string; sql: Database } | undefined;

/**
 * Brings a shard of links, its three sets together, into PostgreSQL in one transaction with the record that it is in:
 * a kill leaves all its rows or none. A hash that is in already is dropped as a duplicate.
 */
export const ingest: Stage<'ingest', typeof ingestOptions> = {
  name: 'ingest',
  does: 'Copies the links into PostgreSQL, from which download draws batches at random.',
  reads: 'links',
  writes: 'ingest',
  usesDatabase: 'always',
  unit: 'links',
  format: 1,
  options: ingestOptions,
  // Of two rows with one hash the first stays: which one is first must not depend on the workers.
  ordered: true,
  async plan({ folders }) {
    const shards = await publishedInputs(folders.input, '.parquet');
    return shards.map(({ name, identity }) => ({ name, inputs: [{ path: join(folders.input, name), identity }] }));
  },
  async run(shard, { folders }, effects) {
    const files = await setFiles(folders.input, shard.name);
    const sql = await database(folders.database);
    const ingested = await copyLinks(sql, {
      shard: shard.name,
      fingerprint: fingerprintOf({ format: this.format, options: {}, models: {}, inputs: { [shard.name]: shard.inputs[0]!.identity } }),
      rows: stagedLinks(files, (rows) => effects.progress({ in: rows })),
      reached: (point) => effects.reached(point.replace('ingest.', '')),
    });
    const duplicates = new Set(ingested.duplicates);
    let position = 0;
    // Read again only where there is something to report.
    if (duplicates.size > 0) {
      for await (const { hash, url, text } of stagedLinks(files, () => undefined)) {
        if (duplicates.has(position++)) effects.drop('duplicate', { hash, url, text, value: null, threshold: null });
      }
    }
    return { in: ingested.rows, out: ingested.rows - ingested.duplicates.length };
  },
  async close() {
    await pool?.sql.end();
    pool = undefined;
  },
};

async function setFiles(folder: string, shard: string): Promise<{ set: SetName; path: string }[]> {
  const files = [];
  for (const set of setNames) {
    const path = join(folder, set, `${shard}.parquet`);
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      files.push({ set, path });
  }
  if (files.length === 0) throw new UsageError(`${folder} has a marker of shard ${shard} but no links of it (${setNames.join('|')}/${shard}.parquet).`);
  return files;
}

async function* stagedLinks(files: readonly { set: SetName; path: string }[], read: (rows: number) => void): AsyncGenerator<StagedLink> {
  for (const { set, path } of files) {
    for await (const { hash, record_offset, url, text, language, licence, uid, page_url, crawl_file } of readParquet<Link>(path)) {
      read(1);
      yield { hash, record_offset, url, text, language, set_name: set, licence, uid, page_url, crawl_file, rest: null };
    }
  }
}

async function database(url: string | undefined): Promise<Database> {
  if (url === undefined) throw new UsageError('ingest needs a database: give --db, or leave it out for the embedded one.');
  if (pool?.url !== url) {
    await pool?.sql.end();
    pool = { url, sql: await connect(url, { max: 1 }) };
  }
  return pool.sql;
}

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { ShardError, UsageError } from '../../contracts/errors.ts';
import type { Sample } from '../../contracts/records.ts';
import type { Shard } from '../../contracts/stage.ts';
import { connect, type Database } from '../../db/client.ts';
import { drawBatch } from '../../db/draw-batch.ts';
import { finishBatch } from '../../db/finish-batch.ts';
import { finishedBatches } from '../../db/finished-batches.ts';
import { openBatches } from '../../db/open-batches.ts';
import { readBatch } from '../../db/read-batch.ts';
import { readParquet } from '../../formats/parquet.ts';
import { publishedShards } from '../../runtime/completion.ts';
import { type BatchSource, shardName } from './batch-source.ts';
import { completeLink, type LinkRow, linkOfStaged } from './link-row.ts';

/**
 * Batches drawn at random from PostgreSQL. A batch is drawn when a worker is free for it; it stays open, with its
 * links and their order, until the marker of its shard is on disk, so that a killed run makes the same shard again.
 */
export class DatabaseBatches implements BatchSource {
  readonly #url: string;
  /** Where the samples are. */
  readonly #output: string;
  readonly #size: number;

  constructor(url: string, output: string, size: number) {
    this.#url = url;
    this.#output = output;
    this.#size = size;
  }

  async *plan(reached: (point: string) => void): AsyncGenerator<Shard> {
    const sql = await connect(this.#url, { max: 1 });
    try {
      const open = new Map((await openBatches(sql)).map((batch) => [batch.shard, batch]));
      const made = await this.#finishedShards(sql, new Set(open.keys()));
      for (const batch of [...made, ...open.values()].sort((a, b) => a.shard - b.shard)) yield planned(batch);
      let drawn = made.length + open.size;
      for (;;) {
        const batch = await drawBatch(sql, { size: this.#size, reached: (point) => reached(point.replace('draw.', '')) });
        if (!batch) break;
        drawn++;
        yield planned(batch);
      }
      if (drawn === 0) throw new UsageError('The database holds no links to download. Run ingest before it, or give a Parquet file of links with --input.');
    } finally {
      await sql.end();
    }
  }

  async read({ name }: Shard): Promise<LinkRow[]> {
    return this.#withDatabase(async (sql) => {
      try {
        return (await readBatch(sql, Number(name))).map(linkOfStaged);
      } catch (error) {
        // A finished batch that is made again (--redo): its links are all in the shard that was made from it.
        const samples = join(this.#output, `${name}.parquet`);
        if (!(error instanceof ShardError) || !(await exists(samples))) throw error;
        const links: LinkRow[] = [];
        for await (const row of readParquet<Sample>(samples)) links.push(completeLink({ ...row, text: row.caption }));
        return links;
      }
    });
  }

  async finished({ name }: Shard): Promise<void> {
    await this.#withDatabase((sql) => finishBatch(sql, Number(name)));
  }

  /** Batches whose shard was made (and is made again where its marker was removed). Shards of another database would take the numbers of this one's batches. */
  async #finishedShards(sql: Database, open: ReadonlySet<number>): Promise<{ shard: number; rows: number }[]> {
    const known = await finishedBatches(sql);
    const markers = (await publishedShards(this.#output)).map(({ shard }) => Number(shard));
    const numbers = new Set(known.map(({ shard }) => shard));
    const foreign = markers.find((shard) => !numbers.has(shard) && !open.has(shard));
    if (foreign !== undefined) {
      throw new UsageError(
        `${this.#output} has shard ${shardName(foreign)}, which was not made from this database. Give the database of then with --db, or another folder.`,
      );
    }
    return known;
  }

  async #withDatabase<T>(task: (sql: Database) => Promise<T>): Promise<T> {
    const sql = await connect(this.#url, { max: 1 });
    try {
      return await task(sql);
    } finally {
      await sql.end();
    }
  }
}

function planned({ shard, rows }: { shard: number; rows: number }): Shard {
  return { name: shardName(shard), inputs: [{ path: `batch-${shardName(shard)}`, identity: `${rows} links` }] };
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

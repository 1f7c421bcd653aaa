import { readdir, readFile, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type { Database } from '../../../src/db/client.ts';
import { copyLinks } from '../../../src/db/copy-links.ts';
import { drawBatch } from '../../../src/db/draw-batch.ts';
import { openBatches } from '../../../src/db/open-batches.ts';
import type { StagedLink } from '../../../src/db/staged-link.ts';
import { stagingSize } from '../../../src/db/staging-size.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { InlineExecutor } from '../../../src/runtime/inline-executor.ts';
import { runStage } from '../../../src/runtime/run-stage.ts';
import { download } from '../../../src/stages/download/download.ts';
import { embeddedDatabases } from '../../db/harness.ts';
import { startServer } from '../../net/loopback-server.ts';
import { recordingEvents } from '../../runtime/toy-stage.ts';
import { rowsOf, runDownload, temporaryFolder } from './run-download.ts';

const databases = embeddedDatabases();

function links(count: number): StagedLink[] {
  return Array.from({ length: count }, (_, i) => {
    const [url, text] = [`http://pictures.test/${i}.jpg`, i === 0 ? null : `picture ${i}`];
    return {
      hash: sampleHash(url, text),
      record_offset: BigInt(i),
      url,
      text,
      language: null,
      set_name: 'nolang',
      licence: null,
      uid: null,
      page_url: null,
      crawl_file: 'crawl',
      rest: null,
    };
  });
}

/** A database with `count` links, and a server that has their pictures. */
async function prepare(count: number): Promise<{ sql: Database; database: string; connectTo: string[]; requests: string[] }> {
  const sql = await databases.fresh();
  await copyLinks(sql, { shard: '0', fingerprint: 'f', rows: links(count) });
  const [{ name }] = (await sql<{ name: string }[]>`SELECT current_database() AS name`) as unknown as [{ name: string }];
  const picture = await sharp({ create: { width: 300, height: 300, channels: 3, background: '#336699' } })
    .jpeg()
    .toBuffer();
  const server = await startServer((request, response) => void (request.url === '/robots.txt' ? response.writeHead(404).end() : response.end(picture)));
  return { sql, database: databases.url(name), connectTo: [`::127.0.0.1:${server.port}`], requests: server.requests };
}

async function urlsOf(output: string): Promise<string[]> {
  const names = (await readdir(output)).filter((name) => name.endsWith('.parquet')).sort();
  return (await Promise.all(names.map(async (name) => rowsOf(join(output, name))))).flat().map(({ url }) => url);
}

describe('links of the database', () => {
  test('every link comes once, in batches in the order of hash; the table ends empty and the batches done', async () => {
    const { sql, database, connectTo } = await prepare(100);
    const { output, summary, made } = await runDownload('', { connectTo, minBytes: 0, numberSamplePerShard: 30 }, { database });
    expect(summary).toMatchObject({ in: 100, out: 100 });
    expect(made.length).toBeGreaterThanOrEqual(4);
    expect((await urlsOf(output)).sort()).toEqual(
      links(100)
        .map(({ url }) => url)
        .sort(),
    );
    const rows = await rowsOf(join(output, '00000.parquet'));
    expect(rows.map(({ hash }) => hash)).toEqual(rows.map(({ hash }) => hash).toSorted((a, b) => (a < b ? -1 : 1)));
    expect(rows.every(({ caption, url, hash }) => hash === sampleHash(url, caption))).toBe(true);
    expect([await stagingSize(sql), await openBatches(sql)]).toEqual([0, []]);
    const [{ left }] = (await sql<{ left: bigint }[]>`SELECT count(*) AS left FROM pairmill.batch_rows`) as unknown as [{ left: bigint }];
    expect(left).toBe(0n);
  });

  test('a second run counts what is there and asks for nothing', async () => {
    const { database, connectTo, requests } = await prepare(20);
    const options = { connectTo, minBytes: 0, numberSamplePerShard: 10 };
    const { output } = await runDownload('', options, { database });
    const asked = requests.length;
    const again = await runDownload('', options, { database, output });
    expect(again.summary).toMatchObject({ in: 20, out: 20 });
    expect([again.made, requests.length]).toEqual([[], asked]);
  });

  test('a batch that was drawn and not finished is made, with its own number, before others are drawn', async () => {
    const { sql, database, connectTo } = await prepare(50);
    await drawBatch(sql, { size: 20 });
    const [leased] = await openBatches(sql);
    const { output, summary } = await runDownload('', { connectTo, minBytes: 0, numberSamplePerShard: 1000 }, { database });
    expect(summary).toMatchObject({ in: 50, out: 50 });
    expect(await rowsOf(join(output, '00000.parquet'))).toHaveLength(leased!.rows);
    expect(await openBatches(sql)).toEqual([]);
  });

  test('killed between marker and release of the batch: the shard is kept, and the batch let go', async () => {
    const { sql, database, connectTo, requests } = await prepare(20);
    const options = { connectTo, minBytes: 0 };
    const { output } = await runDownload('', options, { database });
    await sql`UPDATE pairmill.batches SET state = 'drawn'`;
    const asked = requests.length;
    const again = await runDownload('', options, { database, output });
    expect([again.kept, again.made, requests.length]).toEqual([['00000'], [], asked]);
    expect(await openBatches(sql)).toEqual([]);
  });

  test('killed before the marker: the same batch gives the same bytes', async () => {
    const { sql, database, connectTo } = await prepare(40);
    await drawBatch(sql, { size: 1000 });
    const folder = await temporaryFolder();
    const [output, options] = [join(folder, 'samples'), download.options.parse({ connectTo, minBytes: 0 })];
    const folders = { input: '', output, rejects: join(folder, 'rejects'), stages: {}, database };
    const stop = new InlineExecutor([download], 1, (point) => {
      if (point === 'download.unmarked') throw new Error('killed');
    });
    const outcome = await runStage(download, { options, folders }, stop, { redo: false, acceptChanged: false, rejects: 'all' }, recordingEvents());
    expect(outcome.failed).toHaveLength(1);
    const before = await readFile(join(output, '00000.tar'));
    await rm(join(output, '00000.tar'));
    const { summary } = await runDownload('', { connectTo, minBytes: 0, concurrency: 3 }, { database, output });
    expect(summary).toMatchObject({ in: 40, out: 40 });
    expect((await readFile(join(output, '00000.tar'))).equals(before)).toBe(true);
  });

  test('--redo, and a marker that was removed: made again from the links that the shard itself has', async () => {
    const { database, connectTo } = await prepare(20);
    const { output } = await runDownload('', { connectTo, minBytes: 0 }, { database });
    const before = await readFile(join(output, '00000.parquet'));
    const redone = await runDownload('', { connectTo, minBytes: 0 }, { database, output, redo: true });
    expect(redone.made).toEqual(['00000']);
    expect((await readFile(join(output, '00000.parquet'))).equals(before)).toBe(true);
    await unlink(join(output, '00000_stats.json'));
    expect((await runDownload('', { connectTo, minBytes: 0, imageSize: 128 }, { database, output })).made).toEqual(['00000']);
  });

  test('samples of another database, and an empty database, are wrong usage', async () => {
    const [one, other] = [await prepare(5), await prepare(5)];
    const { output } = await runDownload('', { connectTo: one.connectTo, minBytes: 0 }, { database: one.database });
    await expect(runDownload('', { connectTo: other.connectTo }, { database: other.database, output })).rejects.toThrow(
      'has shard 00000, which was not made from this database',
    );
    expect(await stagingSize(other.sql)).toBe(5);
    const empty = await prepare(0);
    await expect(runDownload('', {}, { database: empty.database })).rejects.toThrow('holds no links');
  });
});

import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { cp, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { DatasetState } from '../../../src/contracts/dataset.ts';
import { UsageError } from '../../../src/contracts/errors.ts';
import { BatchLink } from '../../../src/contracts/records.ts';
import { shardName } from '../../../src/contracts/sample-key.ts';
import { connect } from '../../../src/db/client.ts';
import { startEmbedded } from '../../../src/db/embedded.ts';
import { parquetElements } from '../../../src/formats/parquet.ts';
import { draw } from '../../../src/stages/draw/draw.ts';
import { embeddedDatabases } from '../../db/harness.ts';
import { linkFile, makeLinks, waiting } from '../../db/links.ts';
import { digests } from '../run-one-stage.ts';
import { type StagedRun, stagedRun } from '../staged-run.ts';

const databases = embeddedDatabases();

const hashes = (links: readonly { hash: bigint }[]): bigint[] => links.map(({ hash }) => hash).sort((a, b) => (a < b ? -1 : 1));

/** A run whose links are in the database. */
async function ingested(count: number, shards = 1): Promise<StagedRun> {
  const run = await stagedRun(databases);
  for (let shard = 0; shard < shards; shard++) await run.links(shard, makeLinks(count / shards, (shard * count) / shards));
  await run.ingest();
  return run;
}

/** Draws batches of 20, and stops with one that is marked in the database and has no file. */
async function drawSome(run: StagedRun, batches: number): Promise<void> {
  let leased = (await run.drawn().catch(() => [])).length / 20;
  const reached = (point: string): void => {
    if (point === 'draw.leased' && ++leased > batches) throw new Error('stopped');
  };
  await run.draw(20, { reached, mayFail: true }).catch(() => undefined);
  expect(await run.drawn()).toHaveLength(20 * batches);
}

describe('batches', () => {
  test('every link comes once, in full batches but the last, in order of hash, with all its columns; nothing waits in the end', async () => {
    const run = await ingested(100, 2);
    const { summary, shards, notes } = await run.draw(30);
    expect(summary).toMatchObject({ in: 100, out: 100 });
    expect(shards.map(({ shard, out }) => [shard, out])).toEqual([
      ['00000', 30],
      ['00001', 30],
      ['00002', 30],
      ['00003', 10],
    ]);
    expect(notes).toEqual([]);
    const drawn = await run.drawn();
    for (let batch = 0; batch < 4; batch++) {
      const part = drawn.slice(30 * batch, 30 * batch + 30);
      expect(part.map(({ hash }) => hash)).toEqual(hashes(part));
    }
    const byHash = (a: { hash: bigint }, b: { hash: bigint }): number => (a.hash < b.hash ? -1 : 1);
    expect(drawn.toSorted(byHash)).toEqual(makeLinks(100).toSorted(byHash));
    const sql = await connect(run.database, { max: 1 });
    expect(await waiting(sql)).toBe(0);
    expect(await sql`SELECT 1 FROM pairmill.batch_rows`).toHaveLength(0);
    await sql.end();
    expect((await run.draw(30)).made).toEqual([]);
  });

  test("a user's columns keep their types, behind ours, and batches have one schema", async () => {
    const run = await stagedRun(databases);
    const further = { likes: z.int32(), views: z.int64().nullable(), score: z.number(), share: z.float32(), checked: z.boolean(), author: z.string() };
    const rows = makeLinks(20).map(({ url, text }, i) => ({
      url,
      text,
      likes: i,
      views: i % 2 === 0 ? null : 2n ** 60n + BigInt(i),
      score: i / 7,
      share: Math.fround(i / 7),
      checked: i % 3 === 0,
      author: `“${i}”`,
    }));
    await linkFile(join(run.folder, 'links', '00000.parquet'), rows, z.object({ url: z.string(), text: z.string(), ...further }));
    await linkFile(join(run.folder, 'links', '00001.parquet'), makeLinks(20, 20));
    await run.ingest();
    await run.draw(15);
    const columns = await Promise.all([0, 1, 2].map(async (batch) => parquetElements(join(run.folder, 'batches', `${shardName(batch)}.parquet`))));
    expect(columns[1]).toEqual(columns[0]);
    expect(columns[2]).toEqual(columns[0]);
    const types = Object.fromEntries(columns[0]!.map(({ name, type }) => [name, type]));
    expect(Object.keys(types).slice(0, 9)).toEqual(Object.keys(BatchLink.shape));
    expect(types).toMatchObject({
      likes: 'INT32',
      views: 'INT64',
      score: 'DOUBLE',
      share: 'FLOAT',
      checked: 'BOOLEAN',
      author: 'BYTE_ARRAY',
      words: 'INT32',
      language_confidence: 'FLOAT',
    });
    const drawn = await run.drawn();
    for (const row of rows) expect(drawn.find(({ url }) => url === row.url)).toMatchObject({ ...row, words: null });
    for (const row of makeLinks(20, 20)) expect(drawn.find(({ url }) => url === row.url)).toMatchObject({ ...row, likes: null });
  });
});

describe('the database is a cache', () => {
  const makers: [string, (run: StagedRun) => Promise<void>][] = [
    ['another one', async (run) => void (run.database = await run.another())],
    [
      'emptied by a crash',
      async (run) => {
        const sql = await connect(run.database, { max: 1 });
        await sql`TRUNCATE pairmill.links, pairmill.hashes, pairmill.vanished, pairmill.ingested, pairmill.batches, pairmill.batch_rows, pairmill.columns, pairmill.staging`;
        await sql.end();
      },
    ],
    [
      'dropped',
      async (run) => {
        const sql = await connect(run.database, { max: 1 });
        await sql`DROP SCHEMA pairmill CASCADE`;
        await sql.end();
      },
    ],
  ];

  test.each(makers)('%s in the middle: what is drawn stays, the rest comes, nothing twice', async (_name, lose) => {
    const run = await ingested(90, 3);
    await drawSome(run, 2);
    const before = await digests(join(run.folder, 'batches'));
    await lose(run);
    const { summary } = await run.draw(20);
    expect(summary).toMatchObject({ out: 90 });
    expect(await digests(join(run.folder, 'batches'))).toMatchObject(before);
    expect(hashes(await run.drawn())).toEqual(hashes(makeLinks(90)));
  });

  test('of an earlier state: what was drawn since is not drawn again', async () => {
    const run = await ingested(90, 3);
    await drawSome(run, 1);
    const sql = await connect(run.database, { max: 1 });
    const tables = ['links', 'hashes', 'vanished', 'ingested', 'batches', 'batch_rows', 'columns', 'staging'];
    for (const table of tables) await sql.unsafe(`CREATE TABLE ${table} AS SELECT * FROM pairmill.${table}`);
    await drawSome(run, 3);
    const before = await digests(join(run.folder, 'batches'));
    for (const table of tables) await sql.unsafe(`TRUNCATE pairmill.${table}; INSERT INTO pairmill.${table} SELECT * FROM ${table}`);
    await sql.end();
    await run.draw(20);
    expect(await digests(join(run.folder, 'batches'))).toMatchObject(before);
    expect(hashes(await run.drawn())).toEqual(hashes(makeLinks(90)));
  });

  test('lost before anything was drawn, and after everything was', async () => {
    const run = await ingested(40);
    run.database = await run.another();
    const { shards } = await run.draw(25);
    expect(shards[0]!.warnings).toEqual(['1 shard of links was not in the database (any more) and has been copied again.']);
    expect(hashes(await run.drawn())).toEqual(hashes(makeLinks(40)));
    run.database = await run.another();
    expect((await run.draw(25)).made).toEqual([]);
    await run.links(1, makeLinks(10, 35));
    expect((await run.ingest()).summary).toMatchObject({ in: 50, out: 45 });
    await run.draw(25).catch(() => undefined);
    expect(hashes(await run.drawn())).toEqual(hashes(makeLinks(45)));
  });

  test('a copy of the run with the same database: each ends with all its links, none twice', async () => {
    const run = await ingested(60);
    await drawSome(run, 1);
    const copy = { ...run, folder: `${run.folder}-copy` };
    await cp(run.folder, copy.folder, { recursive: true });
    const { runOneStage } = await import('../run-one-stage.ts');
    await runOneStage(draw, copy.folder, { numberSamplePerShard: 20 }, { database: run.database });
    await run.draw(20);
    expect(hashes(await run.drawn())).toEqual(hashes(makeLinks(60)));
    await rm(copy.folder, { recursive: true });
  });

  test.each(['ingest.leased', 'draw.leased'])('PostgreSQL killed at %s: a clear message, and the same command goes on', async (point) => {
    const run = await stagedRun(databases);
    for (const shard of [0, 1]) await run.links(shard, makeLinks(30, 20 * shard));
    let server = await startEmbedded({ folder: run.folder });
    const kill = (name: string): void => {
      if (name === point) process.kill(server.pid, 'SIGKILL');
    };
    const command = async (reached?: (point: string) => void): Promise<unknown> => {
      const settings = { database: server.url, ...(reached && { reached }) };
      await run.ingest(settings);
      return run.draw(20, settings);
    };
    await expect(command(kill)).rejects.toThrow(/the connection to the database was lost.*\. Nothing is lost: the same command goes on from here/);
    server = await startEmbedded({ folder: run.folder });
    await command();
    expect(hashes(await run.drawn())).toEqual(hashes(makeLinks(50)));
    await server.stop();
  });

  test('the links of another run are refused, and left alone', async () => {
    const [one, other] = [await ingested(10), await ingested(20)];
    one.database = other.database;
    await expect(one.draw(10)).rejects.toThrow(UsageError);
    await expect(one.draw(10)).rejects.toThrow(`The database holds the links of another run, in ${other.folder}.`);
    expect((await other.draw(10)).summary).toMatchObject({ out: 20 });
  });
});

describe('a batch stays what it is', () => {
  test.each(['leased', 'written', 'renamed', 'unmarked', 'marked'])('failing at %s, the next command writes the same batch', async (point) => {
    const run = await ingested(60);
    let failures = 0;
    const reached = (name: string): void => {
      if (name !== `draw.${point}`) return;
      failures++;
      throw new Error('killed');
    };
    await run.draw(20, { reached, mayFail: true }).catch(() => undefined);
    const sql = await connect(run.database, { max: 1 });
    const rows = await sql<{ batch: number; hashes: string }[]>`SELECT batch, array_to_string(hashes, ',') AS hashes FROM pairmill.batches ORDER BY batch`;
    await sql.end();
    const marked = rows[0]!.hashes.split(',').map(BigInt);
    await run.draw(20);
    expect(failures).toBeGreaterThan(0);
    const drawn = await run.drawn();
    expect(drawn.slice(0, 20).map(({ hash }) => hash)).toEqual(marked);
    expect(hashes(drawn)).toEqual(hashes(makeLinks(60)));
  });

  test('a file that is gone is written again with the same bytes', async () => {
    const run = await ingested(60, 3);
    await run.draw(20);
    const before = await digests(join(run.folder, 'batches'));
    await unlink(join(run.folder, 'batches', '00001.parquet'));
    expect((await run.draw(20)).made).toEqual(['00001']);
    expect(await digests(join(run.folder, 'batches'))).toEqual(before);
    await unlink(join(run.folder, 'batches', '00000.parquet'));
    await unlink(join(run.folder, 'batches', '00000_stats.json'));
    await unlink(join(run.folder, 'batches', '00002.parquet'));
    expect((await run.draw(20)).made.sort()).toEqual(['00000', '00002']);
    expect(await digests(join(run.folder, 'batches'))).toEqual(before);
  });

  test('a file and the database gone: its links wait again and come once', async () => {
    const run = await ingested(60);
    await run.draw(20);
    await unlink(join(run.folder, 'batches', '00001.parquet'));
    run.database = await run.another();
    expect((await run.draw(20)).made).toEqual(['00001']);
    expect(hashes(await run.drawn())).toEqual(hashes(makeLinks(60)));
  });

  test('--redo draws the same again; with another size, all anew', async () => {
    const run = await ingested(60);
    await run.draw(20);
    const before = await digests(join(run.folder, 'batches'));
    expect((await run.draw(20, { redo: true })).made).toHaveLength(3);
    expect(await digests(join(run.folder, 'batches'))).toEqual(before);
    await expect(run.draw(15)).rejects.toThrow('--number-sample-per-shard was 20, is 15');
    expect((await run.draw(15, { redo: true })).shards.map(({ out }) => out)).toEqual([15, 15, 15, 15]);
    expect(hashes(await run.drawn())).toEqual(hashes(makeLinks(60)));
  });

  test('links that vanished after they were drawn stay in their batch; those that came new are drawn', async () => {
    const run = await ingested(40);
    await run.draw(20);
    const before = await digests(join(run.folder, 'batches'));
    await run.links(0, makeLinks(60).slice(5));
    await expect(run.ingest()).rejects.toThrow(
      /^5 links of (?:1 batch \(0000[01]\)|2 batches \(00000, 00001\)) are not in .*\/links any more, because the input has changed since they were drawn\. Give --accept-changed to keep what was drawn/,
    );
    await run.ingest({ acceptChanged: true });
    await run.draw(20);
    expect(await digests(join(run.folder, 'batches'))).toMatchObject(before);
    expect(hashes(await run.drawn())).toEqual(hashes(makeLinks(60)));
    // Vanished links are in no batch that is drawn again; of the others none is missing, and none comes twice.
    await run.draw(20, { redo: true, acceptChanged: true });
    expect(hashes(await run.drawn())).toEqual(hashes(makeLinks(60).slice(5)));
  });

  test('--redo reads the links once, and not once for each batch', async () => {
    const run = await ingested(120, 3);
    await run.draw(20);
    const before = await digests(join(run.folder, 'batches'));
    const links = readdirSync(join(run.folder, 'links'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.parquet'));
    // From the first batch on they can't be read any more.
    const spoil = (point: string): void => {
      if (point !== 'draw.leased') return;
      for (const path of links.map((name) => join(run.folder, 'links', name))) writeFileSync(path, Buffer.alloc(statSync(path).size));
    };
    expect((await run.draw(20, { redo: true, reached: spoil })).made).toHaveLength(6);
    expect(await digests(join(run.folder, 'batches'))).toEqual(before);
  });
});

describe('plan', () => {
  const state = (outs: number[], sealed = true): DatasetState => ({
    shards: outs.map((out, i) => ({ name: shardName(i), digest: '', out, files: [], madeBy: { options: { numberSamplePerShard: 10 }, models: {} } })),
    sealed,
  });
  const planned = (ingest: DatasetState, own: DatasetState): string => {
    const plan = draw.plan({
      options: { numberSamplePerShard: 10 },
      input: undefined,
      datasets: { ingest },
      own,
      recorded: new Map(),
      environment: {},
      runLocation: '/run',
    });
    const { shards, complete } = plan as Awaited<typeof plan>;
    return `${shards.map(({ name }) => Number(name)).join(' ')}${complete ? '' : ' …'}`;
  };

  test('full batches while links may come, the rest when none will', () => {
    expect(planned(state([25], false), state([]))).toBe('0 1 …');
    expect(planned(state([25]), state([]))).toBe('0 1 2');
    expect(planned(state([25]), state([10, 10, 5]))).toBe('0 1 2');
    expect(planned(state([25, 10]), state([10, 10, 5]))).toBe('0 1 2 3');
    expect(planned(state([0]), state([]))).toBe('');
  });

  test('a number that is free is given again', () => {
    const { shards } = state([10, 10, 10]);
    expect(planned(state([30]), { shards: [shards[0]!, shards[2]!], sealed: false })).toBe('0 1 2');
  });
});

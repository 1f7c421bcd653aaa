import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ShardError } from '../../src/contracts/errors.ts';
import { connect } from '../../src/db/client.ts';
import { copyLinks } from '../../src/db/copy-links.ts';
import { drawBatch } from '../../src/db/draw-batch.ts';
import { finishBatch } from '../../src/db/finish-batch.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openBatches } from '../../src/db/open-batches.ts';
import { readBatch } from '../../src/db/read-batch.ts';
import { stagingSize } from '../../src/db/staging-size.ts';
import type { StagedLink } from '../../src/db/staged-link.ts';
import { embeddedDatabases } from './harness.ts';
import { makeLinks } from './links.ts';

const databases = embeddedDatabases();

describe('copyLinks', () => {
  test('keeps every character, null and int64 of a row', async () => {
    const sql = await databases.fresh();
    const odd: StagedLink = {
      ...makeLinks(1)[0]!,
      hash: -(2n ** 63n),
      record_offset: 2n ** 63n - 1n,
      url: 'https://a.test/\\N\t?q=\\.',
      text: 'two\nlines\r\n\\N \u{1F600} \u0001 "quoted"',
      licence: '',
      rest: { 'a"b': 'tab\there', big: 2n ** 62n + 1n, float: 0.1, none: null, list: [1, 'x'] },
    };
    const bare: StagedLink = {
      ...odd,
      hash: 2n ** 63n - 1n,
      text: null,
      language: null,
      set_name: null,
      licence: null,
      uid: null,
      page_url: null,
      crawl_file: null,
      record_offset: null,
      rest: null,
    };
    await copyLinks(sql, { shard: 'en/00000', fingerprint: 'f', rows: [bare, odd] });
    await drawBatch(sql, { size: 10 });
    expect(await readBatch(sql, 0)).toEqual([odd, bare]);
  });

  test('drops the second row of a hash, within a shard and across shards, also after the first was drawn and finished', async () => {
    const sql = await databases.fresh();
    const [a, b, c] = makeLinks(3) as [StagedLink, StagedLink, StagedLink];
    expect(await copyLinks(sql, { shard: '0', fingerprint: 'f', rows: [a, b, { ...a, page_url: 'later' }] })).toEqual({
      rows: 3,
      duplicates: [2],
      already: false,
    });
    await drawBatch(sql, { size: 10 });
    expect((await readBatch(sql, 0)).find(({ hash }) => hash === a.hash)!.page_url).toBeNull();
    await finishBatch(sql, 0);
    expect(await copyLinks(sql, { shard: '1', fingerprint: 'f', rows: [b, c, a, c] })).toEqual({ rows: 4, duplicates: [0, 2, 3], already: false });
    expect(await stagingSize(sql)).toBe(1);
  });

  test('called again for a shard does nothing, reads no row and says the same', async () => {
    const sql = await databases.fresh();
    const links = makeLinks(20);
    const first = await copyLinks(sql, { shard: '0', fingerprint: 'f', rows: [...links, links[3]!] });
    const unread = {
      [Symbol.iterator](): Iterator<StagedLink> {
        throw new Error('the rows were read');
      },
    };
    expect(await copyLinks(sql, { shard: '0', fingerprint: 'f', rows: unread })).toEqual({ ...first, already: true });
    expect(await stagingSize(sql)).toBe(20);
    await expect(copyLinks(sql, { shard: '0', fingerprint: 'other', rows: links })).rejects.toThrow(/another input/);
  });

  test('a shard whose reading fails, or that holds U+0000, leaves nothing and the connection usable', async () => {
    const sql = await databases.fresh();
    async function* broken(): AsyncGenerator<StagedLink> {
      yield* makeLinks(5_000);
      throw new Error('the file is cut off');
    }
    await expect(copyLinks(sql, { shard: '7', fingerprint: 'f', rows: broken() })).rejects.toThrow(
      "links 7 can't be brought into the database: the file is cut off",
    );
    const nul = copyLinks(sql, { shard: '7', fingerprint: 'f', rows: [{ ...makeLinks(1)[0]!, text: 'a\0b' }] });
    await expect(nul).rejects.toThrow(ShardError);
    await expect(nul).rejects.toThrow(/row 0: the text holds U\+0000/);
    expect(await stagingSize(sql)).toBe(0);
    expect((await copyLinks(sql, { shard: '7', fingerprint: 'f', rows: makeLinks(10) })).rows).toBe(10);
    expect(await stagingSize(sql)).toBe(10);
  });

  test('two ingests of one shard at a time bring its rows once', async () => {
    const sql = await databases.fresh();
    const results = await Promise.all([0, 1].map(() => copyLinks(sql, { shard: '0', fingerprint: 'f', rows: makeLinks(2_000) })));
    expect(results.map(({ already }) => already).sort()).toEqual([false, true]);
    expect(await stagingSize(sql)).toBe(2_000);
  });
});

describe('drawBatch', () => {
  test('drains 50,000 links in batches of 1,000 with at most 2 draws a batch, each link once, batch rows in order of hash', async () => {
    const sql = await databases.fresh();
    for (let shard = 0; shard < 5; shard++) await copyLinks(sql, { shard: `${shard}`, fingerprint: 'f', rows: makeLinks(10_000, shard * 10_000) });
    const seen = new Set<bigint>();
    let draws = 0;
    for (let batch; (batch = await drawBatch(sql, { size: 1_000 })); draws++) {
      expect(batch.shard).toBe(draws);
      const rows = await readBatch(sql, batch.shard);
      expect(rows).toHaveLength(batch.rows);
      expect(rows.length).toBeLessThanOrEqual(1_000);
      rows.forEach(({ hash }, index) => {
        expect(index === 0 || rows[index - 1]!.hash < hash).toBe(true);
        seen.add(hash);
      });
    }
    expect(seen.size).toBe(50_000);
    expect(draws).toBeLessThanOrEqual(101);
    expect(await stagingSize(sql)).toBe(0);
    expect(await sql`SELECT 1 FROM pairmill.links LIMIT 1`).toHaveLength(0);
  });

  test('a batch mixes hosts and crawl shards: no runs of what came together', async () => {
    const sql = await databases.fresh();
    const byHost = makeLinks(20_000).sort((a, b) => (a.url < b.url ? -1 : 1));
    await copyLinks(sql, { shard: '0', fingerprint: 'f', rows: byHost });
    const batch = await drawBatch(sql, { size: 1_000 });
    const hosts = new Set((await readBatch(sql, batch!.shard)).map(({ url }) => new URL(url).host));
    // Unshuffled, a batch of 30 pages would hold runs of 2 or 3 of the 50 hosts each.
    expect(hosts.size).toBe(50);
  });

  test('four callers at a time take each link once and leave none', async () => {
    const sql = await databases.fresh();
    await copyLinks(sql, { shard: '0', fingerprint: 'f', rows: makeLinks(20_000) });
    const drawn = (
      await Promise.all(
        Array.from({ length: 4 }, async () => {
          const batches = [];
          for (let batch; (batch = await drawBatch(sql, { size: 700 }));) batches.push(batch);
          return batches;
        }),
      )
    ).flat();
    expect(drawn.reduce((sum, { rows }) => sum + rows, 0)).toBe(20_000);
    expect(drawn.map(({ shard }) => shard).sort((a, b) => a - b)).toEqual(drawn.map((_, index) => index));
    expect(await openBatches(sql)).toHaveLength(drawn.length);
    expect((await sql`SELECT count(DISTINCT hash) AS n FROM pairmill.batch_rows`)[0]!['n']).toBe(20_000n);
  });
});

test("finishBatch lets go of the lease, twice without harm; a finished batch can't be read", async () => {
  const sql = await databases.fresh();
  await copyLinks(sql, { shard: '0', fingerprint: 'f', rows: makeLinks(100) });
  await drawBatch(sql, { size: 40 });
  await drawBatch(sql, { size: 60 });
  expect((await openBatches(sql)).map(({ shard }) => shard)).toEqual([0, 1]);
  await finishBatch(sql, 0);
  await finishBatch(sql, 0);
  expect((await openBatches(sql)).map(({ shard }) => shard)).toEqual([1]);
  await expect(readBatch(sql, 0)).rejects.toThrow(/Batch 0 is not open/);
});

test('migrate is idempotent, works from several processes at a time, and refuses a newer database', async () => {
  const sql = await databases.fresh();
  await Promise.all([migrate(sql), migrate(sql), migrate(sql)]);
  await sql`INSERT INTO pairmill.migrations (name, sha256) VALUES ('999999.sql', 'x')`;
  await expect(migrate(sql)).rejects.toThrow(/newer version of pairmill \(999999.sql\)/);
});

test('connect says what is wrong with a URL, without its password', async () => {
  await expect(connect('mysql://a.test/x')).rejects.toThrow(/--db must be a postgres:\/\/ URL/);
  await expect(connect('not a url')).rejects.toThrow(/is not a URL of the form/);
  await expect(connect(databases.url('no_such_database'))).rejects.toThrow(/"no_such_database" does not exist/);
  const port = await closedPort();
  await expect(connect(`postgres://me:secret@127.0.0.1:${port}/x`)).rejects.toThrow(
    new RegExp(`postgres://me:…@127.0.0.1:${port}/x can't be used: .*ECONNREFUSED`),
  );
});

/** A port of loopback that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ShardError } from '../../src/contracts/errors.ts';
import { Link } from '../../src/contracts/records.ts';
import { connect, type Database } from '../../src/db/client.ts';
import { copyLinks, type LinksShard } from '../../src/db/copy-links.ts';
import { drawBatch } from '../../src/db/draw-batch.ts';
import type { LinkFile } from '../../src/db/link-file.ts';
import { migrate } from '../../src/db/migrate.ts';
import { claimStaging } from '../../src/db/staging-owner.ts';
import { writeParquet } from '../../src/formats/parquet-writer.ts';
import { sampleHash, sampleUid } from '../../src/formats/sample-hash.ts';
import { embeddedDatabases, temporaryFolder } from './harness.ts';
import { batchRows, linkFile, makeLinks, waiting } from './links.ts';

const databases = embeddedDatabases();

async function freshTables(): Promise<Database> {
  const sql = await databases.fresh();
  await sql`INSERT INTO pairmill.staging DEFAULT VALUES`;
  return sql;
}

async function copied(sql: Database, shard: number, rows: readonly Link[], more: Partial<LinksShard> = {}): ReturnType<typeof copyLinks> {
  return copyLinks(sql, { shard, chain: `chain ${shard}`, files: [await linkFile(join(await temporaryFolder(), 'links.parquet'), rows)], ...more });
}

/** Notes every query of the transactions of a database. */
function counting(sql: Database, queries: string[]): Database {
  const begin = (work: (transaction: unknown) => Promise<unknown>): Promise<unknown> =>
    sql.begin((transaction) => {
      const tagged = (text: TemplateStringsArray, ...values: never[]): unknown => {
        queries.push(text.join('?'));
        return transaction(text, ...values);
      };
      const unsafe = (text: string, values?: never[]): unknown => {
        queries.push(text);
        return transaction.unsafe(text, values);
      };
      return work(Object.assign(tagged, { unsafe }));
    });
  return { begin } as unknown as Database;
}

describe('copyLinks', () => {
  test('keeps every character, null and int64 of a row, and columns that Pairmill does not know with their types', async () => {
    const sql = await freshTables();
    const schema = z.object({
      ...Link.shape,
      text: z.string().nullable(),
      page_url: z.string().nullable(),
      record_offset: z.int64().nullable(),
      my_text: z.string().nullable(),
      my_large: z.int64().nullable(),
      my_count: z.int32().nullable(),
      my_share: z.number().nullable(),
      my_flag: z.boolean().nullable(),
    });
    const odd = {
      ...makeLinks(1)[0]!,
      hash: -(2n ** 63n),
      record_offset: 2n ** 63n - 1n,
      url: 'https://a.test/\\N\t?q=\\.',
      text: 'two\nlines\r\n\\N \u{1F600} \u0001 "quoted" – größer 猫',
      licence: '',
      repetition_share: Math.fround(0.0123456),
      my_text: 'tab\there, "quotes", \\, \u0001 and \u{1F600}',
      my_large: -(2n ** 62n) - 1n,
      my_count: -2147483648,
      my_share: 0.1 + 0.2,
      my_flag: true,
    };
    const bare = {
      ...odd,
      hash: 2n ** 63n - 1n,
      text: null,
      licence: null,
      page_url: null,
      record_offset: null,
      my_text: null,
      my_large: null,
      my_count: null,
      my_share: Infinity,
      my_flag: null,
    };
    await copyLinks(sql, { shard: 0, chain: 'c', files: [await linkFile(join(await temporaryFolder(), 'links.parquet'), [bare, odd], schema)] });
    await drawBatch(sql, { batch: 0, size: 10 });
    expect(await batchRows(sql, 0)).toEqual([odd, { ...bare, text: '', page_url: '' }]);
  });

  test('drops the second row of a hash, within a shard and across shards, also after the first was drawn', async () => {
    const sql = await freshTables();
    const [a, b, c] = makeLinks(3) as [Link, Link, Link];
    expect(await copied(sql, 0, [a, b, { ...a, page_url: 'later' }])).toMatchObject({ rows: 3, dropped: [2], already: false });
    await drawBatch(sql, { batch: 0, size: 10 });
    expect((await batchRows(sql, 0)).find(({ hash }) => hash === a.hash)!['page_url']).toBe(a.page_url);
    expect(await copied(sql, 1, [b, c, a, c])).toMatchObject({ rows: 4, dropped: [0, 2, 3], already: false });
    expect(await waiting(sql)).toBe(1);
  });

  test('called again for a shard does nothing, reads no file and says the same', async () => {
    const sql = await freshTables();
    const links = makeLinks(20);
    const first = await copied(sql, 0, [...links, links[3]!]);
    const unread: LinkFile = { path: '/nowhere', name: 'unread', language: '', trusted: true };
    expect(await copied(sql, 0, [], { files: [unread] })).toEqual({ ...first, already: true });
    expect(await waiting(sql)).toBe(20);
  });

  test('a shard that has changed takes its links back, with those of later shards; drawn links stay drawn', async () => {
    const sql = await freshTables();
    const links = makeLinks(40);
    await copied(sql, 0, links.slice(0, 20));
    await copied(sql, 1, links.slice(10, 30));
    await drawBatch(sql, { batch: 0, size: 10 });
    await sql`UPDATE pairmill.batches SET digest = 'written'`;
    const drawn = new Set((await batchRows(sql, 0)).map(({ hash }) => hash));
    // The second five are gone, and one has another page.
    const now = [...links.slice(0, 5), ...links.slice(10, 20)].map((link) => ({ ...link, page_url: 'https://new.test/' }));
    expect(await copied(sql, 0, now, { chain: 'changed' })).toMatchObject({ rows: 15, dropped: [] });
    expect(await sql`SELECT shard FROM pairmill.ingested`).toEqual([{ shard: 0 }]);
    await copied(sql, 1, links.slice(10, 30), { chain: 'changed' });
    const there = [...now, ...links.slice(20, 30)].filter(({ hash }) => !drawn.has(hash));
    expect(await waiting(sql)).toBe(there.length);
    await drawBatch(sql, { batch: 1, size: 100 });
    const rows = await batchRows(sql, 1);
    expect(new Set(rows.map(({ hash }) => hash))).toEqual(new Set(there.map(({ hash }) => hash)));
    for (const { hash, page_url } of rows) expect(page_url).toBe(there.find((link) => link.hash === hash)!.page_url);
    const gone = links.slice(5, 10).filter(({ hash }) => drawn.has(hash));
    expect(await sql`SELECT hash FROM pairmill.vanished`).toHaveLength(gone.length);
  });

  test('a shard that fails on the way leaves nothing', async () => {
    const sql = await freshTables();
    const file = await linkFile(join(await temporaryFolder(), 'links.parquet'), makeLinks(10));
    const reached = (point: string): void => {
      if (point === 'leased') throw new Error('the file is cut off');
    };
    await expect(copyLinks(sql, { shard: 7, chain: 'c', files: [file], reached })).rejects.toThrow(
      new ShardError("links 7 can't be brought into the database: the file is cut off"),
    );
    expect(await waiting(sql)).toBe(0);
    expect((await copyLinks(sql, { shard: 7, chain: 'c', files: [file] })).rows).toBe(10);
    expect(await waiting(sql)).toBe(10);
  });

  test('U+0000 in a column is replaced, in URL and text refused', async () => {
    const sql = await freshTables();
    const [a, b] = makeLinks(2) as [Link, Link];
    await copied(sql, 0, [{ ...a, page_url: 'a\0b' }]);
    await drawBatch(sql, { batch: 0, size: 1 });
    expect((await batchRows(sql, 0))[0]).toMatchObject({ hash: a.hash, page_url: 'a\u{FFFD}b' });
    await expect(copied(sql, 1, [{ ...b, text: 'a\0b' }])).rejects.toThrow(/the text of a link \("a\\u0000b"\) holds U\+0000/);
  });

  test('a licence of 1.1 MB over thousands of links is left out and counted, and costs no memory', async () => {
    const sql = await freshTables();
    const licence = `https://creativecommons.org/${'x'.repeat(1_100_000)}`;
    const links = makeLinks(3_000).map((link, i) => (i % 2 === 0 ? { ...link, licence } : link));
    const before = process.memoryUsage().rss;
    const { tooLong } = await copied(sql, 0, links);
    expect([...tooLong]).toEqual([['licence', 1_500]]);
    expect(process.memoryUsage().rss - before).toBeLessThan(600e6);
    expect(await waiting(sql)).toBe(3_000);
  });

  test("another tool's file: LAION's names, no hash, lists and a language by its set; a wrong hash is refused", async () => {
    const sql = await freshTables();
    const path = join(await temporaryFolder(), 'links.parquet');
    await writeParquet(path, z.object({ URL: z.string(), TEXT: z.string().nullable(), WIDTH: z.int32() }), [
      { URL: 'https://a.test/1.jpg', TEXT: null, WIDTH: 7 },
    ]);
    await copyLinks(sql, { shard: 0, chain: 'c', files: [{ path, name: 'links/en/0.parquet', language: 'en', trusted: false }] });
    await drawBatch(sql, { batch: 0, size: 1 });
    const [hash, uid] = [sampleHash('https://a.test/1.jpg', ''), sampleUid('https://a.test/1.jpg', '')];
    expect(await batchRows(sql, 0)).toEqual([
      { WIDTH: 7, hash, uid, url: 'https://a.test/1.jpg', text: '', language: 'en', licence: null, page_url: '', crawl_file: '', record_offset: null },
    ]);
    const wrong = await linkFile(path, [{ ...makeLinks(1)[0]!, hash: 5n }], undefined, false);
    await expect(copyLinks(sql, { shard: 1, chain: 'c', files: [wrong] })).rejects.toThrow(/the hash of https.* is 5 in the file, but/);
    await writeParquet(path, z.object({ link: z.string() }), [{ link: 'x' }]);
    await expect(copyLinks(sql, { shard: 1, chain: 'c', files: [{ ...wrong, trusted: false }] })).rejects.toThrow('has no column url (it has link)');
  });

  test('two copies of one shard at a time bring its rows once', async () => {
    const sql = await freshTables();
    const results = await Promise.all([0, 1].map(() => copied(sql, 0, makeLinks(2_000))));
    expect(results.map(({ already }) => already).sort()).toEqual([false, true]);
    expect(await waiting(sql)).toBe(2_000);
  });
});

describe('drawBatch', () => {
  test('drains 50,000 links in full batches, each link once, rows in order of hash', async () => {
    const sql = await freshTables();
    for (let shard = 0; shard < 5; shard++) await copied(sql, shard, makeLinks(10_000, shard * 10_000));
    const seen = new Set<bigint>();
    let batch = 0;
    for (let rows; (rows = await drawBatch(sql, { batch, size: 999 })) > 0; batch++) {
      expect(rows).toBe(Math.min(999, 50_000 - seen.size));
      const hashes = (await batchRows(sql, batch)).map(({ hash }) => hash as bigint);
      expect(hashes).toEqual(hashes.toSorted((a, b) => (a < b ? -1 : 1)));
      for (const hash of hashes) seen.add(hash);
    }
    expect(seen.size).toBe(50_000);
    expect(batch).toBe(Math.ceil(50_000 / 999));
    expect(await waiting(sql)).toBe(0);
  });

  test('a nearly empty table drains in a bounded number of queries, however many emptied pages it has', async () => {
    const sql = await freshTables();
    await copied(sql, 0, makeLinks(20_045));
    const queries: string[] = [];
    const counted = counting(sql, queries);
    expect(await drawBatch(counted, { batch: 0, size: 20_000 })).toBe(20_000);
    const ofOneDraw = queries.length;
    expect(ofOneDraw).toBeLessThan(10);
    const drawn: number[] = [];
    while (drawn.at(-1) !== 0) drawn.push(await drawBatch(counted, { batch: drawn.length + 1, size: 20 }));
    expect(drawn).toEqual([20, 20, 5, 0]);
    expect(queries).toHaveLength(ofOneDraw * (1 + drawn.length));
  });

  test('a batch mixes hosts and crawl shards: no runs of what came together', async () => {
    const sql = await freshTables();
    const byHost = makeLinks(20_000).sort((a, b) => (a.url < b.url ? -1 : 1));
    await copied(sql, 0, byHost);
    await drawBatch(sql, { batch: 0, size: 1_000 });
    const hosts = new Set((await batchRows(sql, 0)).map(({ url }) => new URL(url as string).host));
    // Unshuffled, a batch of 30 pages would hold runs of 2 or 3 of the 50 hosts each.
    expect(hosts.size).toBe(50);
  });

  test('the hosts of a batch are distributed as those of the table are, also where a few hosts have most links', async () => {
    const sql = await freshTables();
    // 20 hosts, of which the first has 20 times the links of the last; they come host by host.
    const links = makeLinks(21_000).map((link, i) => {
      const host = Math.floor((Math.sqrt(1 + 8 * Math.floor(i / 100)) - 1) / 2);
      const url = `https://host${host}.test/${i}.jpg`;
      return { ...link, url, hash: sampleHash(url, link.text) };
    });
    await copied(sql, 0, links);
    const size = 2_000;
    await drawBatch(sql, { batch: 0, size });
    const countOf = (urls: readonly string[]): Map<string, number> => {
      const counts = new Map<string, number>();
      for (const url of urls) counts.set(new URL(url).host, (counts.get(new URL(url).host) ?? 0) + 1);
      return counts;
    };
    const drawn = countOf((await batchRows(sql, 0)).map(({ url }) => url as string));
    let chiSquare = 0;
    for (const [host, count] of countOf(links.map(({ url }) => url))) {
      const expected = (count * size) / links.length;
      chiSquare += ((drawn.get(host) ?? 0) - expected) ** 2 / expected;
    }
    // 19 degrees of freedom: a fair draw is above 62 once in a million; pages of one host each gave over 1,000.
    expect(chiSquare).toBeLessThan(62);
  });
});

test('migrate is idempotent, works from several processes at a time, and refuses a newer database', async () => {
  const sql = await databases.fresh();
  await Promise.all([migrate(sql), migrate(sql), migrate(sql)]);
  await sql`INSERT INTO pairmill.migrations (name, sha256) VALUES ('999999.sql', 'x')`;
  await expect(migrate(sql)).rejects.toThrow(/newer version of pairmill \(999999.sql\)/);
});

describe('claimStaging', () => {
  const here = { id: 'one', location: '/runs/one' };

  test('a moved run takes its database over; while the other place uses it, it is refused', async () => {
    const sql = await databases.fresh();
    const [{ name }] = (await sql<{ name: string }[]>`SELECT current_database() AS name`) as unknown as [{ name: string }];
    const [first, second] = await Promise.all([0, 1].map(() => connect(databases.url(name), { max: 1 })));
    await claimStaging(first!, here);
    await expect(claimStaging(second!, { ...here, location: '/runs/copy' })).rejects.toThrow(
      'The database is in use by the run in /runs/one. Give /runs/copy a database of its own',
    );
    await first!.end();
    await claimStaging(second!, { ...here, location: '/runs/copy' });
    await second!.end();
  });

  test('the links of another run are left alone; an empty database is free', async () => {
    const sql = await freshTables();
    const [{ name }] = (await sql<{ name: string }[]>`SELECT current_database() AS name`) as unknown as [{ name: string }];
    const open = (): Promise<Database> => connect(databases.url(name), { max: 1 });
    const [first, second] = await Promise.all([open(), open()]);
    await claimStaging(first, here);
    await first.end();
    await claimStaging(second, { id: 'two', location: '/runs/two' });
    await copied(sql, 0, makeLinks(3));
    await second.end();
    const third = await open();
    await expect(claimStaging(third, here)).rejects.toThrow('The database holds the links of another run, in /runs/two.');
    await third.end();
  });
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

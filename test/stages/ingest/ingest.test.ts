import { unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { DatasetState } from '../../../src/contracts/dataset.ts';
import { UsageError } from '../../../src/contracts/errors.ts';
import { shardName } from '../../../src/contracts/sample-key.ts';
import type { ShardStats } from '../../../src/contracts/shard-stats.ts';
import { connect } from '../../../src/db/client.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { ingest } from '../../../src/stages/ingest/ingest.ts';
import { embeddedDatabases } from '../../db/harness.ts';
import { linkFile, makeLinks, waiting } from '../../db/links.ts';
import { rejectsOf } from '../run-one-stage.ts';
import { stagedRun } from '../staged-run.ts';

const databases = embeddedDatabases();

/** The marker of a shard of links, as dedup leaves it. */
async function markLinks(folder: string, shard: string, files: string[]): Promise<void> {
  const made_by = { format: 1, options: {}, models: {}, inputs: {} };
  const counts = { in: 10, out: 10, dropped: {}, duration: 0, start_time: 0, end_time: 0 };
  const marker: ShardStats = { stage: 'dedup', shard, ...counts, files: files.map((name) => ({ name, bytes: 1, sha256: '' })), digest: 'made', made_by };
  await writeFile(join(folder, 'links', `${shard}_stats.json`), JSON.stringify(marker));
}

async function waitingIn(url: string): Promise<number> {
  const sql = await connect(url, { max: 1 });
  try {
    return await waiting(sql);
  } finally {
    await sql.end();
  }
}

describe('ingest', () => {
  test('copies the sets of each shard; of equal hashes the first shard has the link, the later ones drop it', async () => {
    const run = await stagedRun(databases);
    const links = makeLinks(30).map((link, i) => ({ ...link, language: ['en', 'de', ''][i % 3]! }));
    await run.links(0, links.slice(0, 20));
    await run.links(1, links.slice(15, 30));
    const { summary, shards } = await run.ingest();
    expect(summary).toMatchObject({ in: 35, out: 30, dropped: { duplicate: 5 } });
    expect(shards.map((shard) => [shard.shard, shard.in, shard.out, shard.files])).toEqual([
      ['00000', 20, 20, []],
      ['00001', 15, 10, []],
    ]);
    expect((await rejectsOf(run.folder, 'ingest')).map(({ url, reason }) => `${reason} ${url}`).sort()).toEqual(
      links
        .slice(15, 20)
        .map(({ url }) => `duplicate ${url}`)
        .sort(),
    );
    expect(await waitingIn(run.database)).toBe(30);
    expect((await run.ingest()).made).toEqual([]);
  });

  test('a file that the marker of its shard names and that is missing fails the shard and is named; nothing of it comes in', async () => {
    const run = await stagedRun(databases);
    await run.links(0, makeLinks(10));
    await markLinks(run.folder, '00000', ['en/00000.parquet', 'multi/00000.parquet', 'nolang/00000.parquet']);
    await unlink(join(run.folder, 'links', 'multi', '00000.parquet'));
    const { failed } = await run.ingest({ mayFail: true });
    expect(failed).toEqual([{ shard: '00000', message: expect.stringMatching(/multi\/00000\.parquet in .* is missing/) as string }]);
    await run.links(0, makeLinks(10));
    expect((await run.ingest()).summary).toMatchObject({ in: 10, out: 10 });
  });

  test('a plain folder of Parquet: sets by the language, columns of the user in any file', async () => {
    const run = await stagedRun(databases);
    const schema = z.object({ url: z.string(), text: z.string(), language: z.string(), likes: z.int32() });
    await linkFile(join(run.folder, 'links', '00000.parquet'), [{ url: 'https://a.test/1', text: 'one', language: 'de', likes: 3 }], schema);
    await linkFile(join(run.folder, 'links', '00001.parquet'), [{ url: 'https://a.test/2', text: 'two', language: '', likes: 4 }], schema);
    const spark = 'part-00002-5b54c5d5-bbcf-484d-a2ce-0d6f73df1a36-c000.snappy.parquet';
    await linkFile(join(run.folder, 'links', spark), [{ url: 'https://a.test/3', text: 'three', language: 'en', likes: 5 }], schema);
    expect((await run.ingest()).summary).toMatchObject({ in: 3, out: 3 });
  });

  test('links that changed are taken in anew without asking, with all shards after them', async () => {
    const run = await stagedRun(databases);
    const links = makeLinks(40);
    for (const shard of [0, 1, 2]) await run.links(shard, links.slice(10 * shard, 10 * shard + 20));
    await run.ingest();
    await run.links(1, links.slice(12, 15));
    const again = await run.ingest();
    expect(again.made.sort()).toEqual(['00001', '00002']);
    expect(again.shards.map(({ out }) => out)).toEqual([20, 0, 20]);
    expect(await waitingIn(run.database)).toBe(40);
  });

  test('links that were drawn and have vanished are refused, with the batches that have them; --accept-changed keeps them', async () => {
    const run = await stagedRun(databases);
    await run.links(0, makeLinks(30));
    await run.ingest();
    await run.draw(10);
    await run.links(0, makeLinks(27));
    await expect(run.ingest()).rejects.toThrow(UsageError);
    await expect(run.ingest()).rejects.toThrow(/^3 links of (?:1 batch|\d batches) \([\d, ]+\) are not in .*links any more, because the input has changed/);
    expect((await run.ingest({ acceptChanged: true })).summary).toMatchObject({ in: 27, out: 27 });
    expect((await run.ingest()).made).toEqual([]);
  });

  test.each(['leased', 'committing', 'unmarked', 'marked'])('failing at %s, the next command ends with the same', async (point) => {
    const run = await stagedRun(databases);
    await run.links(0, [...makeLinks(20), makeLinks(1)[0]!]);
    await run.links(1, makeLinks(20, 15));
    let failures = 0;
    const reached = (name: string): void => {
      if (name === `ingest.${point}` && failures++ === 0) throw new Error('killed');
    };
    await run.ingest({ mayFail: true, reached }).catch(() => undefined);
    const { summary } = await run.ingest();
    expect(failures).toBeGreaterThan(0);
    expect(summary).toMatchObject({ in: 41, out: 35, dropped: { duplicate: 6 } });
    expect(await waitingIn(run.database)).toBe(35);
  });

  test('a database that was emptied or deleted between two shards is filled again', async () => {
    const run = await stagedRun(databases);
    await run.links(0, makeLinks(20));
    await run.ingest();
    await run.links(1, makeLinks(20, 15));
    run.database = await run.another();
    const { shards } = await run.ingest();
    expect(shards.map(({ out }) => out)).toEqual([20, 15]);
    expect(shards[1]!.warnings).toEqual(['1 shard of links was not in the database (any more) and has been copied again.']);
    expect(await waitingIn(run.database)).toBe(35);
  });

  test('absurdly long licences are left out with a warning', async () => {
    const run = await stagedRun(databases);
    const licence = `https://creativecommons.org/${'x'.repeat(1_100_000)}`;
    await run.links(
      0,
      makeLinks(1_000).map((link) => ({ ...link, licence })),
    );
    const { summary, shards } = await run.ingest();
    expect(summary).toMatchObject({ in: 1_000, out: 1_000 });
    expect(shards[0]!.warnings).toEqual(['1000 values of licence are absurdly long and were left out.']);
  });

  test("another tool's URLs and texts of any length: the link is dropped and the text cut at a code point, both counted, in bounded memory", async () => {
    const run = await stagedRun(databases);
    const [megabyte, cut] = ['x'.repeat(1_100_000), `${'猫'.repeat(19_999)}\u{1F600}`];
    const rows = [
      { url: `https://a.test/${megabyte}`, text: 'the URL is too long' },
      { url: 'https://a.test/long-text', text: `${cut}${megabyte}` },
      { url: `https://a.test/${'y'.repeat(20_000 - 'https://a.test/'.length)}`, text: cut },
      { url: 'https://a.test/long-text', text: `${cut} and the same text once it is cut` },
      ...Array.from({ length: 3_000 }, (_, i) => ({ url: i % 2 === 0 ? `https://a.test/${i}` : `https://a.test/${megabyte}`, text: megabyte })),
    ];
    await linkFile(join(run.folder, 'links', '00000.parquet'), rows, z.object({ url: z.string(), text: z.string() }));
    const before = process.memoryUsage().rss;
    const { summary, shards } = await run.ingest();
    expect(process.memoryUsage().rss - before).toBeLessThan(800e6);
    expect(summary).toMatchObject({ in: 3_004, out: 1_502, dropped: { 'url-too-long': 1_501, duplicate: 1 } });
    expect(shards[0]!.warnings).toEqual(['3002 texts are absurdly long and were cut.']);
    const tooLong = (await rejectsOf(run.folder, 'ingest')).find(({ reason }) => reason === 'url-too-long')!;
    expect([tooLong.url.length, tooLong.value, tooLong.threshold, tooLong.text]).toEqual([20_000, '1100015', '20000', 'the URL is too long']);
    // A database that is made anew has the same links, cut and left out alike.
    run.database = await run.another();
    await run.draw(2_000);
    const drawn = await run.drawn();
    expect(drawn).toHaveLength(1_502);
    expect(drawn.find(({ url }) => url.endsWith('long-text'))).toMatchObject({ text: cut, hash: sampleHash('https://a.test/long-text', cut) });
    expect(drawn.find(({ url }) => url.length === 20_000)!.text).toBe(cut);
    expect(drawn.find(({ url }) => url === 'https://a.test/0')!.text).toBe('x'.repeat(20_000));
  });

  test('markers of another tool among the links mean nothing: the files are read, also those without', async () => {
    const run = await stagedRun(databases);
    await linkFile(join(run.folder, 'links', '00000.parquet'), makeLinks(10));
    await writeFile(join(run.folder, 'links', '00000_stats.json'), JSON.stringify({ count: 10, successes: 10, status_dict: { success: 10 } }));
    expect((await run.ingest()).summary).toMatchObject({ in: 10, out: 10 });
    await linkFile(join(run.folder, 'links', '00001.parquet'), makeLinks(10, 10));
    expect((await run.ingest()).summary).toMatchObject({ in: 20, out: 20 });
  });

  test('links that vanished from a batch of which the database does not know yet that it is written are refused, too', async () => {
    const run = await stagedRun(databases);
    // So many in the file that vanishes that each batch has some of them, whichever are drawn.
    await run.links(0, makeLinks(1));
    await run.links(1, makeLinks(39, 1));
    await run.ingest();
    let batches = 0;
    const stop = (point: string): void => {
      if (point === 'draw.marked' && ++batches === 2) throw new Error('stopped');
    };
    await run.draw(20, { reached: stop, mayFail: true });
    for (const set of ['en', 'multi', 'nolang']) await unlink(join(run.folder, 'links', set, '00001.parquet'));
    await expect(run.ingest()).rejects.toThrow(/^39 links of 2 batches \(00000, 00001\) are not in .*links any more/);
    expect((await run.ingest({ acceptChanged: true })).summary).toMatchObject({ in: 1, out: 1 });
    await run.draw(20);
    expect(await run.drawn()).toHaveLength(40);
  });

  test('what waits is what is in and not drawn; a low water mark above the high one is refused', () => {
    const state = (...outs: number[]): DatasetState => ({ shards: outs.map((out, i) => ({ name: shardName(i), digest: '', out, files: [] })), sealed: false });
    const options = { stagingHigh: 100, stagingLow: 20 };
    expect(ingest.waiting!({ options, own: state(70, 80), readers: { batches: state(30, 20) } })).toEqual({ level: 100, low: 20, high: 100 });
    ingest.check!(options, []);
    expect(() => ingest.check!({ stagingHigh: 100, stagingLow: 101 }, [])).toThrow(
      new UsageError('--staging-low 101 is above --staging-high 100. Give a lower --staging-low or a higher --staging-high.'),
    );
  });
});

test('shards after a gap wait while one may still come', () => {
  const plan = (names: string[], sealed: boolean): string[] => {
    const shards = names.map((name) => ({ name, digest: name, files: [] }));
    const planned = ingest.plan({
      options: { stagingHigh: 1, stagingLow: 1 },
      input: undefined,
      datasets: { links: { shards, sealed } },
      own: { shards: [], sealed: false },
      recorded: new Map(),
      environment: {},
      runLocation: '/run',
    });
    return (planned as Awaited<typeof planned>).shards.map(({ name, after = [] }) => `${name} after ${after.join()}`);
  };
  expect(plan(['00000', '00001', '00003'], false)).toEqual(['00000 after ', '00001 after 00000']);
  expect(plan(['00000', '00001', '00003'], true)).toEqual(['00000 after ', '00001 after 00000', '00003 after 00001']);
});

import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, truncate, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/contracts/errors.ts';
import { Candidate, type Link } from '../../../src/contracts/records.ts';
import { writeParquet } from '../../../src/formats/parquet.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { dedup } from '../../../src/stages/dedup/dedup.ts';
import { readFilterHeader } from '../../../src/stages/dedup/filter-file.ts';
import { allRows, digests, rejectsOf, runAlone } from '../run-alone.ts';

let base: string;
let candidates: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-dedup-'));
  candidates = join(base, 'candidates');
  await writeCandidates(3, (shard, i) => `http://host.test/${shard === 0 ? i : i * (shard + 1)}.png`);
});
afterEach(() => rm(base, { recursive: true }));

const languages = ['en', 'de', '', 'sr'];

function candidate(url: string, text: string, language: string): Candidate {
  return {
    url,
    text,
    language,
    language_confidence: 0.75,
    licence: null,
    hash: sampleHash(url, text),
    uid: 'x',
    page_url: 'http://page.test/',
    crawl_file: 'x.wat.gz',
    record_offset: 5n,
    words: 1,
    characters: 1,
    alphanumeric_share: 1,
    special_share: 0,
    repetition_share: 0,
  };
}

async function writeCandidates(shards: number, url: (shard: number, i: number) => string, folder = candidates): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let shard = 0; shard < shards; shard++) {
    const rows = Array.from({ length: 300 }, (_, i) => candidate(url(shard, i), `text ${i % 3}`, languages[i % 4]!));
    await writeParquet(join(folder, `${String(shard).padStart(5, '0')}.parquet`), Candidate, rows);
  }
}

const small = { expectedItems: 5000, falsePositiveRate: 1e-9 };
const run = (options: Record<string, unknown> = {}, more: { reached?: (point: string) => void; redo?: boolean; output?: string; input?: string } = {}) =>
  runAlone(dedup, base, more.input ?? candidates, more.output ?? 'links', { ...more, options: { ...small, ...options } });
const urls = async (set: string, output = 'links') => (await allRows<Link>(join(base, output, set))).map(({ url }) => url);

describe('dedup', () => {
  it('keeps the first of each URL, in three sets, in input order', async () => {
    const { summary, shards } = await run();
    const seen = new Set<string>();
    const expected: Record<string, string[]> = { en: [], multi: [], nolang: [] };
    for (let shard = 0; shard < 3; shard++) {
      for (let i = 0; i < 300; i++) {
        const url = `http://host.test/${i * (shard + 1)}.png`;
        if (seen.has(url)) continue;
        seen.add(url);
        expected[languages[i % 4] === 'en' ? 'en' : languages[i % 4] === '' ? 'nolang' : 'multi']!.push(url);
      }
    }
    for (const set of ['en', 'multi', 'nolang']) expect(await urls(set)).toEqual(expected[set]);
    expect(summary).toMatchObject({ in: 900, out: seen.size, dropped: { 'duplicate-url': 900 - seen.size } });
    expect(await rejectsOf(base, 'dedup')).toHaveLength(900 - seen.size);
    expect(shards.at(-1)!.filter).toMatchObject({ items: seen.size, key: 'url', fill: expect.any(Number), false_positive_rate: expect.any(Number) });
  });

  it.each(['url', 'url+text', 'url+language'])('tells links apart by %s', async (dedupKey) => {
    const seen = new Set<string>();
    for (let shard = 0; shard < 3; shard++)
      for (let i = 0; i < 300; i++) seen.add(`${i * (shard + 1)} ${dedupKey === 'url' ? '' : dedupKey === 'url+text' ? i % 3 : languages[i % 4]}`);
    expect((await run({ dedupKey })).summary.out).toBe(seen.size);
  });

  it.each([
    { partitions: 1, stops: [1, 3] },
    // The first and the last shard of a partition, one in its middle, and the last of all.
    { partitions: 3, stops: [1, 3, 4, 5, 9] },
  ])('comes to the same bytes after a stop at any point: %j', async ({ partitions, stops }) => {
    const other = join(base, 'other');
    await writeCandidates(1, (_, i) => `http://host.test/${i * 5}.png`, other);
    await run({ partitions }, { input: other, output: 'other-links' });
    const filter = Array.from({ length: partitions }, (_, partition) => join(base, `other-links/_filter/filter-${partition}.bloom`));
    const options = { partitions, filter };
    await run(options);
    const whole = await digests(join(base, 'links'));
    for (const point of ['written', 'renamed', 'unmarked', 'marked']) {
      for (const nth of stops) {
        await rm(join(base, 'links'), { recursive: true });
        let passed = 0;
        const stopped = await run(options, {
          reached: (at) => {
            if (at === `dedup.${point}` && ++passed === nth) throw new Error('stop');
          },
        });
        expect(stopped.failed).toHaveLength(1);
        expect((await run(options)).failed).toEqual([]);
        expect(await digests(join(base, 'links')), `${point} ${nth}`).toEqual(whole);
      }
    }
  });

  it('makes the filter again from journals where the snapshot is lost, or is ahead', async () => {
    await run();
    const whole = await digests(join(base, 'links'));
    await unlink(join(base, 'links/_filter/filter-0.bloom'));
    await unlink(join(base, 'links/00002_stats.json'));
    await run();
    expect(await digests(join(base, 'links'))).toEqual(whole);
    await unlink(join(base, 'links/_filter/filter-0.bloom'));
    await run();
    expect(await digests(join(base, 'links'))).toEqual(whole);
    // The snapshot is now after shard 2; shards 1 and 2 are made again.
    for (const shard of ['00001', '00002']) await unlink(join(base, `links/${shard}_stats.json`));
    await run();
    expect(await digests(join(base, 'links'))).toEqual(whole);
    await run({}, { redo: true });
    expect(await digests(join(base, 'links'))).toEqual(whole);
  });

  it('writes one snapshot a partition, after its last shard, though a shard of candidates is missing', async () => {
    await writeCandidates(5, (shard, i) => `http://host.test/${shard * 300 + i}.png`);
    await unlink(join(candidates, '00002.parquet'));
    const written: string[] = [];
    const filters = async (): Promise<string[]> => (await readdir(join(base, 'links/_filter'))).filter((name) => name.endsWith('.bloom')).sort();
    await run(
      { partitions: 2 },
      {
        // Before the marker of shard n, the snapshots of the partitions that ended before it are there.
        reached: (at) =>
          void (at === 'dedup.unmarked' && written.push(String(readdirSync(join(base, 'links/_filter')).filter((name) => name.endsWith('.bloom'))))),
      },
    );
    expect(written).toEqual(['', '', '', '', ...Array.from({ length: 4 }, () => 'filter-0.bloom')]);
    expect(await filters()).toEqual(['filter-0.bloom', 'filter-1.bloom']);
  });

  it('says before it starts what the filter takes', () => {
    const announced = (options: object): string[] => dedup.announce!(dedup.options.parse({ filterMemory: 2e9, ...options }));
    expect(announced({})).toEqual(['bloom filter for 10,000,000 links at a false-positive rate of 1e-6: 49 MB in memory, of 2,000 MB that it may have']);
    expect(announced({ expectedItems: 1e8, falsePositiveRate: 0.001, partitions: 2, filter: ['a', 'b'] })).toEqual([
      'bloom filter for 100,000,000 links at a false-positive rate of 0.001: 97 MB in memory for one of 2 partitions at a time, of 2,000 MB that it may have; 2 filters of other runs are merged into it',
    ]);
  });

  it('goes on when shards are added, and refuses when an earlier one has changed', async () => {
    await run();
    await writeCandidates(4, (shard, i) => `http://host.test/${shard === 3 ? i * 7 : i * (shard + 1)}.png`);
    const { summary } = await run();
    expect(summary.in).toBe(1200);
    await writeParquet(join(candidates, '00001.parquet'), Candidate, [candidate('http://other.test/', 'x', 'en')]);
    await expect(run()).rejects.toThrow(/00001.* made otherwise/);
  });

  it('keeps the same links with partitions, each partition in input order', async () => {
    await run();
    const { summary } = await run({ partitions: 3 }, { output: 'parted' });
    expect(summary.in).toBe(900);
    for (const set of ['en', 'multi', 'nolang']) expect((await urls(set, 'parted')).sort()).toEqual((await urls(set)).sort());
    expect((await readFilterHeader(join(base, 'parted/_filter/filter-2.bloom')))?.partition).toBe(2);
  });

  it('starts from the filters of other runs, merged', async () => {
    const [one, two] = [join(base, 'one'), join(base, 'two')];
    await writeCandidates(1, (_, i) => `http://host.test/${i}.png`, one);
    await writeCandidates(1, (_, i) => `http://host.test/${i + 300}.png`, two);
    await run({}, { input: one, output: 'links1' });
    await run({}, { input: two, output: 'links2' });
    const filter = ['links1', 'links2'].map((name) => join(base, name, '_filter/filter-0.bloom'));
    await run({ filter }, { output: 'links3' });
    const numbers = (await allRows<Link>(join(base, 'links3'))).map(({ url }) => Number(/(\d+)\.png/.exec(url)![1]));
    expect(numbers.length).toBeGreaterThan(0);
    expect(Math.min(...numbers)).toBe(600);
    expect((await readFilterHeader(join(base, 'links3/_filter/filter-0.bloom')))?.items).toBe(600 + numbers.length);
  });

  it('refuses filters that do not fit, files that are none, and more memory than there may be', async () => {
    await run();
    const filter = [join(base, 'links/_filter/filter-0.bloom')];
    await expect(run({ filter, expectedItems: 6000 }, { output: 'x' })).rejects.toThrow(/--expected-items 6000/);
    await expect(run({ filter, dedupKey: 'url+text' }, { output: 'x' })).rejects.toThrow(/its key is url/);
    await expect(run({ filter: [join(candidates, '00000.parquet')] }, { output: 'x' })).rejects.toThrow(/not a bloom filter/);
    await run({}, { output: 'cut' });
    const cut = join(base, 'cut/_filter/filter-0.bloom');
    await truncate(cut, 5000);
    expect((await run({ filter: [cut] }, { output: 'x' })).failed[0]!.message).toMatch(/filter-0\.bloom is cut off: 5000 bytes/);
    await expect(run({ filter: [join(base, 'none')] }, { output: 'x' })).rejects.toThrow(UsageError);
    await expect(run({ expectedItems: 1e8, falsePositiveRate: 1e-6, filterMemory: 200_000_000 }, { output: 'x' })).rejects.toThrow(
      /482 MB of memory, more than the 200 MB .*--partitions 3/,
    );
  });

  it('warns when the filter is fuller than it was sized for', async () => {
    const { shards } = await run({ expectedItems: 10, falsePositiveRate: 1e-3 });
    expect(shards.at(-1)!.warnings).toEqual([expect.stringContaining('fuller than it was sized for')]);
  });
});

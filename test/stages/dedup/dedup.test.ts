import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { UsageError } from '../../../src/contracts/errors.ts';
import { Candidate, type Link } from '../../../src/contracts/records.ts';
import { readParquet } from '../../../src/formats/parquet.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { dedup } from '../../../src/stages/dedup/dedup.ts';
import { readBloomHeader } from '../../../src/stages/dedup/bloom-file.ts';
import { allRows, digests, rejectsOf, runOneStage, type StageRunSettings } from '../run-one-stage.ts';

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
const run = (options: Record<string, unknown> = {}, { output = 'links', ...settings }: StageRunSettings = {}) =>
  runOneStage(dedup, base, { ...small, ...options }, { output: join(base, output), ...settings });
const links = async (set = '', output = 'links') => allRows<Link>(join(base, output, set));
const urls = async (set: string, output?: string) => (await links(set, output)).map(({ url }) => url);
const bloom = (output = 'links', partition = 0) => join(base, output, `_bloom/bloom-${partition}.bloom`);
const unmake = (shard: string) => unlink(join(base, `links/${shard}_stats.json`));

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
    expect(shards.at(-1)!['bloom']).toMatchObject({ items: seen.size, key: 'url', fill: expect.any(Number), false_positive_rate: expect.any(Number) });
  });

  it.each(['url', 'url+text', 'url+language'])('tells links apart by %s', async (dedupKey) => {
    const seen = new Set<string>();
    for (let shard = 0; shard < 3; shard++)
      for (let i = 0; i < 300; i++) seen.add(`${i * (shard + 1)} ${dedupKey === 'url' ? '' : dedupKey === 'url+text' ? i % 3 : languages[i % 4]}`);
    expect((await run({ dedupKey })).summary.out).toBe(seen.size);
  });

  it('passes columns on that it does not know', async () => {
    const Wider = z.object({ ...Candidate.shape, note: z.string().nullable(), score: z.number() });
    const rows = [0, 1, 2].map((i) => ({ ...candidate(`http://host.test/${i % 2}`, 'text', 'en'), note: i === 0 ? null : `n${i}`, score: i / 2 }));
    await writeParquet(join(candidates, '00003.parquet'), Wider, rows);
    await run({}, { input: candidates });
    expect(await Array.fromAsync(readParquet(join(base, 'links/en/00003.parquet')))).toEqual(rows.slice(0, 2));
  });

  it('says before it starts what the bloom filters take', () => {
    const announced = (options: object): string[] => dedup.announce!(dedup.options.parse({ bloomMemory: 2e9, ...options }));
    expect(announced({})).toEqual(['the bloom filter for 10,000,000 links at a false-positive rate of 1e-6 takes 49 MB of memory (limit: 2,000 MB)']);
    expect(announced({ expectedItems: 1e8, falsePositiveRate: 0.001, partitions: 2, bloomMemory: 1e8, bloom: ['a', 'b'] })).toEqual([
      'the bloom filter for 100,000,000 links at a false-positive rate of 0.001 takes 97 MB of memory for each of 2 partitions, 1 at a time (limit: 100 MB); 2 bloom filters of other runs are merged into it',
    ]);
  });

  it('runs as many partitions at a time as fit into memory', () => {
    const running = (options: object): number => dedup.maxRunning!(dedup.options.parse({ expectedItems: 1e8, falsePositiveRate: 0.001, ...options }));
    expect(running({ bloomMemory: 1e9 })).toBe(1);
    expect(running({ partitions: 2, bloomMemory: 1e8 })).toBe(1);
    expect(running({ partitions: 2, bloomMemory: 2e8 })).toBe(2);
  });

  it('warns when the bloom filter is fuller than it was sized for', async () => {
    const { shards } = await run({ expectedItems: 10, falsePositiveRate: 1e-3 });
    expect(shards.at(-1)!.warnings).toEqual([expect.stringContaining('fuller than it was sized for')]);
  });
});

describe('partitions', () => {
  it('keep the same links as one, each in input order', async () => {
    await run();
    const { summary } = await run({ partitions: 3 }, { output: 'parted' });
    expect(summary.in).toBe(900);
    for (const set of ['en', 'multi', 'nolang']) expect((await urls(set, 'parted')).sort()).toEqual((await urls(set)).sort());
    expect((await readBloomHeader(bloom('parted', 2)))?.partition).toBe(2);
  });

  it('come to the same bytes side by side, one after another, and one at a time for want of memory', async () => {
    await run({ partitions: 3 });
    const whole = await digests(join(base, 'links'));
    await run({ partitions: 3 }, { output: 'parallel', workers: 3 });
    expect(await digests(join(base, 'parallel'))).toEqual(whole);
    const narrow = { partitions: 3, bloomMemory: 20_000 };
    expect(dedup.maxRunning!(dedup.options.parse({ ...small, ...narrow }))).toBe(1);
    await run(narrow, { output: 'narrow', workers: 3 });
    expect(await digests(join(base, 'narrow'))).toEqual(whole);
  });
});

describe('a stopped run', () => {
  it.each([
    { partitions: 1, stops: [1, 3] },
    // The first shard of the second partition, and the last of all.
    { partitions: 3, stops: [4, 9] },
  ])('comes to the same bytes from any point: %j', async ({ partitions, stops }) => {
    const other = join(base, 'other');
    await writeCandidates(1, (_, i) => `http://host.test/${i * 5}.png`, other);
    await run({ partitions }, { input: other, output: 'other-links' });
    const options = { partitions, bloom: Array.from({ length: partitions }, (_, partition) => bloom('other-links', partition)) };
    await run(options);
    const whole = await digests(join(base, 'links'));
    for (const point of ['written', 'renamed', 'unmarked', 'marked', 'sealed']) {
      for (const nth of point === 'sealed' ? [1] : stops) {
        await rm(join(base, 'links'), { recursive: true });
        let passed = 0;
        const stopped = await run(options, {
          mayFail: true,
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

  it('loses a lane where one of its shards fails, and nothing of the others', async () => {
    await writeFile(join(candidates, '00001.parquet'), 'no Parquet');
    const { failed, made } = await run({}, { mayFail: true });
    expect([failed.map(({ shard }) => shard), made]).toEqual([['00001'], ['00000']]);
    // Skipped, it counts as empty, and what comes after it goes on from before it.
    const { shards } = await run({}, { skipFailed: 0.5 });
    expect(shards.map(({ shard, skipped }) => [shard, skipped !== undefined])).toEqual([
      ['00000', false],
      ['00001', true],
      ['00002', false],
    ]);
    const kept = await urls('');
    expect(new Set(kept).size).toBe(kept.length);
    expect(kept.length).toBe(new Set([...Array.from({ length: 300 }, (_, i) => i), ...Array.from({ length: 300 }, (_, i) => 3 * i)]).size);
  });
});

describe('what has changed', () => {
  it('makes what is added, and again all that comes after what has changed', async () => {
    await run({ partitions: 2 });
    await writeCandidates(4, (shard, i) => `http://host.test/${shard === 3 ? i * 7 : i * (shard + 1)}.png`);
    expect((await run({ partitions: 2 })).made.sort()).toEqual(['00006', '00007']);
    const before = await digests(join(base, 'links'));
    await writeParquet(join(candidates, '00001.parquet'), Candidate, [candidate('http://other.test/', 'x', 'en')]);
    const again = await run({ partitions: 2 });
    // Both partitions read it, and one has no link in it now; what came before stays.
    expect(again.made.sort()).toEqual(['00002', '00003', '00004', '00005', '00006', '00007']);
    expect(again.kept.sort()).toEqual(['00000', '00001']);
    await run({ partitions: 2 }, { output: 'anew' });
    expect(await digests(join(base, 'links'))).toEqual(await digests(join(base, 'anew')));
    expect(await digests(join(base, 'links'))).not.toEqual(before);
  });

  it('leaves what comes after a shard that comes out the same', async () => {
    await run();
    const whole = await digests(join(base, 'links'));
    const rows = await Array.fromAsync(readParquet<Candidate>(join(candidates, '00001.parquet')));
    await writeParquet(join(candidates, '00001.parquet'), Candidate, rows, { codec: 'SNAPPY' });
    expect((await run()).made).toEqual(['00001']);
    expect(await digests(join(base, 'links'))).toEqual(whole);
  });

  it('passes over a shard of candidates that is gone', async () => {
    await run();
    await unlink(join(candidates, '00001.parquet'));
    expect((await run()).made).toEqual(['00002']);
    expect((await readdir(join(base, 'links'))).sort()).toEqual(['00000_stats.json', '00002_stats.json', '_bloom', '_sealed.json', 'en', 'multi', 'nolang']);
    await run({}, { output: 'anew' });
    expect(await digests(join(base, 'links'))).toEqual(await digests(join(base, 'anew')));
  });

  it('refuses other options', async () => {
    await run();
    await expect(run({ expectedItems: 6000 })).rejects.toThrow(/--expected-items was 5000, is 6000/);
  });
});

describe('the snapshot of the bloom filter', () => {
  it('is one a partition, after its last shard, though a shard of candidates is missing', async () => {
    await writeCandidates(5, (shard, i) => `http://host.test/${shard * 300 + i}.png`);
    await unlink(join(candidates, '00002.parquet'));
    await run({ partitions: 2 });
    expect((await readdir(join(base, 'links/_bloom'))).filter((name) => name.endsWith('.bloom')).sort()).toEqual(['bloom-0.bloom', 'bloom-1.bloom']);
    expect([(await readBloomHeader(bloom()))?.after, (await readBloomHeader(bloom('links', 1)))?.after]).toEqual(['00008', '00009']);
  });

  it('is made again from journals where it is lost or ahead', async () => {
    await run();
    const whole = await digests(join(base, 'links'));
    await unlink(bloom());
    await unmake('00002');
    await run();
    expect(await digests(join(base, 'links'))).toEqual(whole);
    // It is after shard 2; shards 1 and 2 are made again.
    for (const shard of ['00001', '00002']) await unmake(shard);
    await run();
    expect(await digests(join(base, 'links'))).toEqual(whole);
    await run({}, { redo: true });
    expect(await digests(join(base, 'links'))).toEqual(whole);
  });

  it('counts for nothing where it is of other links, though it names a shard that is there', async () => {
    await run();
    const whole = await digests(join(base, 'links'));
    const other = join(base, 'other');
    await writeCandidates(2, (_, i) => `http://host.test/${i}.png`, other);
    await run({}, { input: other, output: 'other-links' });
    expect((await readBloomHeader(bloom('other-links')))?.after).toBe('00001');
    await copyFile(bloom('other-links'), bloom());
    await unmake('00002');
    await run();
    expect(await digests(join(base, 'links'))).toEqual(whole);
    // Nor where it is cut off, or no bloom filter at all.
    await truncate(bloom(), 5000);
    await unmake('00002');
    await run();
    expect(await digests(join(base, 'links'))).toEqual(whole);
    await writeFile(bloom(), 'x');
    await unmake('00002');
    await run();
    expect(await digests(join(base, 'links'))).toEqual(whole);
  });

  it('is written at the start of a shard, of those before it, when the journals have grown large', async () => {
    await run();
    for (const shard of ['00001', '00002']) await unmake(shard);
    await unlink(bloom());
    // As if shard 0 had kept four million links: one key again and again, so that the bloom filter holds few.
    const [journal, marker] = [join(base, 'links/_bloom/00000.keys'), join(base, 'links/00000_stats.json')];
    const [before, stats] = [await readFile(journal), JSON.parse(await readFile(marker, 'utf8')) as { files: { name: string; bytes: number }[] }];
    await writeFile(journal, Buffer.concat([before, Buffer.alloc(64 * 1_048_576)]));
    stats.files.find(({ name }) => name === '_bloom/00000.keys')!.bytes += 64 * 1_048_576;
    await writeFile(marker, JSON.stringify(stats));
    const stop = (at: string): void => {
      if (at === 'dedup.written') throw new Error('stop');
    };
    expect((await run({}, { mayFail: true, reached: stop })).made).toEqual([]);
    expect(await readBloomHeader(bloom())).toMatchObject({ format: 'pairmill-bloom-2', after: '00000', items: 4 * 1_048_576 + 300 });
  });

  it('has the bytes of the bloom filter in memory, wherever the run was taken up', async () => {
    await run({}, { input: candidates });
    const bytes = await readFile(bloom());
    for (const shard of ['00000', '00001', '00002']) {
      await unmake(shard);
      await run();
      expect((await readFile(bloom())).equals(bytes)).toBe(true);
    }
  });
});

describe('bloom filters of other runs', () => {
  it('are merged, and their links count as known', async () => {
    const [one, two] = [join(base, 'one'), join(base, 'two')];
    await writeCandidates(1, (_, i) => `http://host.test/${i}.png`, one);
    await writeCandidates(1, (_, i) => `http://host.test/${i + 300}.png`, two);
    await run({}, { input: one, output: 'links1' });
    await run({}, { input: two, output: 'links2' });
    await run({ bloom: [bloom('links1'), bloom('links2')] }, { output: 'links3' });
    const numbers = (await links('', 'links3')).map(({ url }) => Number(/(\d+)\.png/.exec(url)![1]));
    expect(numbers.length).toBeGreaterThan(0);
    expect(Math.min(...numbers)).toBe(600);
    expect((await readBloomHeader(bloom('links3')))?.items).toBe(600 + numbers.length);
    // By their content: in another order and place they are the same, and with one less all is made again.
    await copyFile(bloom('links1'), join(base, 'copy.bloom'));
    expect((await run({ bloom: [bloom('links2'), join(base, 'copy.bloom')] }, { output: 'links3' })).made).toEqual([]);
    expect((await run({ bloom: [bloom('links2')] }, { output: 'links3' })).made).toEqual(['00000', '00001', '00002']);
  });

  it('are refused where they do not fit, are none, are cut off, or take more memory than there may be', async () => {
    await run();
    const options = { bloom: [bloom()] };
    await expect(run({ ...options, expectedItems: 6000 }, { output: 'x' })).rejects.toThrow(/--expected-items 6000/);
    await expect(run({ ...options, dedupKey: 'url+text' }, { output: 'x' })).rejects.toThrow(/its key is url/);
    await expect(run({ bloom: [join(candidates, '00000.parquet')] }, { output: 'x' })).rejects.toThrow(/not a bloom filter/);
    await expect(run({ bloom: [join(base, 'none')] }, { output: 'x' })).rejects.toThrow(UsageError);
    await expect(run({ bloom: ['s3://bucket/a.bloom'] }, { output: 'x' })).rejects.toThrow(/Copy it to a file/);
    await copyFile(bloom(), join(base, 'cut.bloom'));
    await truncate(join(base, 'cut.bloom'), 5000);
    await expect(run({ bloom: [join(base, 'cut.bloom')] }, { output: 'x' })).rejects.toThrow(/cut\.bloom is cut off: 5000 bytes/);
    await expect(run({ expectedItems: 1e8, falsePositiveRate: 1e-6, bloomMemory: 200_000_000 }, { output: 'x' })).rejects.toThrow(
      /482 MB of memory, more than the limit of 200 MB\. .*--partitions 3/,
    );
  });
});

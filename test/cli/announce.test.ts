import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Candidate } from '../../src/contracts/records.ts';
import { writeParquet } from '../../src/formats/parquet-writer.ts';
import { pairmill } from '../pipeline/pairmill.ts';

/** What a stage says before its first shard: the memory that it will take. */
let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-announce-'));
  const link = {
    url: 'http://a.test/1.jpg',
    text: 'a dog',
    language: 'en',
    language_confidence: 1,
    licence: null,
    hash: 1n,
    uid: 'u',
    page_url: 'http://a.test/',
  };
  const place = { crawl_file: 'a.wat.gz', record_offset: 0n, words: 2, characters: 5, alphanumeric_share: 1, special_share: 0, repetition_share: 0 };
  await writeParquet(join(base, '00000.parquet'), Candidate, [{ ...link, ...place }]);
});
afterAll(() => rm(base, { recursive: true }));

const dedup = (...more: string[]) => pairmill(['dedup', '--input', base, '--run-dir', join(base, 'run'), '--filter-memory', '100000000', ...more]);
const said = 'dedup: the bloom filter for 10,000,000 links at a false-positive rate of 1e-6 takes 49 MB of memory (limit: 100 MB)';

test('in the dry run, before the first shard, and in the JSON', async () => {
  const plan = await dedup('--dry-run');
  expect([plan.code, plan.out.trim().split('\n').at(-1)]).toEqual([0, said]);
  const { code, err, out } = await dedup('--json');
  expect([code, err.split('\n')[0], JSON.parse(out)]).toEqual([0, said, expect.objectContaining({ notes: [said] })]);
  expect((await dedup('--quiet', '--redo', 'dedup')).err).toBe('');
  const refused = await dedup('--expected-items', '1e9');
  expect([refused.code, refused.err]).toEqual([2, expect.stringMatching(/takes 4,815 MB of memory, more than the limit of 100 MB\. Give --partitions 49,/)]);
});

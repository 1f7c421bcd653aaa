import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hashWords } from '../../../src/formats/sample-hash.ts';
import { BloomFilter } from '../../../src/stages/dedup/bloom-filter.ts';
import { mergeBloom, readBloomHeader, writeBloom } from '../../../src/stages/dedup/bloom-file.ts';
import { JournalWriter, replayJournal } from '../../../src/stages/dedup/bloom-journal.ts';

let base: string;
beforeEach(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-bloom-'))));
afterEach(() => rm(base, { recursive: true }));

it('merges filters larger than the piece that is read at a time', async () => {
  // 19.2 MB: one piece of 16 MiB and a part of another.
  const size = { blocks: 300_001, hashes: 8 };
  const paths = ['a', 'b', 'c'].map((name) => join(base, name));
  const together = new BloomFilter(size);
  for (const path of paths) {
    const filter = new BloomFilter(size);
    for (let i = 0; i < 2000; i++) {
      filter.add(hashWords(`${path} ${i}`));
      together.add(hashWords(`${path} ${i}`));
    }
    await writeBloom(path, { key: 'url', partition: 0, partitions: 1, items: 2000, after: '00000', chain: 'x' }, filter);
  }
  const merged = new BloomFilter(size);
  for (const path of paths) await mergeBloom(path, merged);
  expect(Buffer.from(merged.words.buffer).equals(Buffer.from(together.words.buffer))).toBe(true);
  expect([merged.fill, merged.rate]).toEqual([together.fill, together.rate]);
});

it('replays a journal of any length, key by key', async () => {
  const path = join(base, 'keys');
  const journal = await JournalWriter.open(path);
  const key = (i: number): Uint32Array => hashWords(`key ${i}`);
  // More than the piece of 65 536 keys, flushed unevenly.
  for (let i = 0; i < 150_000; i++) {
    journal.add(key(i));
    if (i % 40_000 === 7) await journal.flush();
  }
  expect(await journal.close()).toBe(
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex'),
  );
  let at = 0;
  let wrong = 0;
  const compare = (words: Uint32Array): void => {
    const expected = key(at++);
    if (words.some((word, i) => word !== expected[i])) wrong++;
  };
  expect(await replayJournal(path, compare)).toBe(150_000);
  expect([journal.keys, at, wrong]).toEqual([150_000, 150_000, 0]);
});

it('reads files of the first version, wherever they lie', async () => {
  const filter = new BloomFilter({ blocks: 3, hashes: 2 });
  filter.add(hashWords('a'));
  const header = { format: 'pairmill-bloom-1', blocks: 3, hashes: 2, key: 'url', partition: 0, partitions: 1, items: 1, after: '00007' };
  const path = join(base, 'filter-0.bloom');
  await writeFile(path, Buffer.concat([Buffer.from(`${JSON.stringify(header).padEnd(1023)}\n`), Buffer.from(filter.words.buffer)]));
  expect(await readBloomHeader(path)).toEqual(header);
  const merged = new BloomFilter({ blocks: 3, hashes: 2 });
  await mergeBloom(path, merged);
  expect(merged.add(hashWords('a'))).toBe(false);
});

import { describe, expect, it } from 'vitest';
import { hashWords } from '../../../src/formats/sample-hash.ts';
import { BloomFilter } from '../../../src/stages/dedup/bloom-filter.ts';
import { expectedRate, bloomBytes, bloomSize, partitionsFor } from '../../../src/stages/dedup/bloom-size.ts';

describe('BloomFilter', () => {
  it('knows every key that was added, and takes as many others for known as was asked', () => {
    const items = 50_000;
    const filter = new BloomFilter(bloomSize(items, 1e-2));
    const kept: string[] = [];
    for (let i = 0; i < items; i++) if (filter.add(hashWords(`http://host.test/${i}`))) kept.push(`http://host.test/${i}`);
    for (const key of kept) expect(filter.add(hashWords(key))).toBe(false);
    expect(filter.rate).toBeGreaterThan(0.008);
    expect(filter.rate).toBeLessThan(0.012);
    let known = 0;
    for (let i = 0; i < 5000; i++) if (!filter.add(hashWords(`http://other.test/${i}`))) known++;
    expect(known / 5000).toBeGreaterThan(0.005);
    expect(known / 5000).toBeLessThan(0.018);
  });

  it('keeps fill and rate as a recount gives them, also after a merge', () => {
    const size = bloomSize(1000, 1e-3);
    const [one, two] = [new BloomFilter(size), new BloomFilter(size)];
    for (let i = 0; i < 500; i++) {
      one.add(hashWords(`a${i}`));
      two.add(hashWords(`b${i}`));
    }
    const before = [one.fill, one.rate];
    one.recount();
    expect([one.fill, one.rate]).toEqual(before);
    one.merge(two.words);
    one.recount();
    for (let i = 0; i < 500; i++) expect([one.add(hashWords(`a${i}`)), one.add(hashWords(`b${i}`))]).toEqual([false, false]);
  });
});

describe('bloomSize', () => {
  it('is the smallest that keeps to the rate', () => {
    for (const [items, rate] of [
      [1, 1e-6],
      [1000, 1e-2],
      [1e6, 1e-6],
      [1e8, 1e-9],
    ] as const) {
      const size = bloomSize(items, rate);
      expect(expectedRate(size, items)).toBeLessThanOrEqual(rate);
      if (size.blocks > 1) expect(expectedRate({ ...size, blocks: size.blocks - 1 }, items)).toBeGreaterThan(rate);
    }
  });

  it('says how many partitions fit', () => {
    expect(partitionsFor(1e8, 1e-6, 1e9)).toBe(1);
    expect(partitionsFor(1e8, 1e-6, 1e8)).toBe(5);
    for (const [items, memory] of [
      [1e9, 1e7],
      [12_345_678, 54_321],
    ] as const) {
      const partitions = partitionsFor(items, 1e-6, memory);
      expect(bloomBytes(bloomSize(Math.ceil(items / partitions), 1e-6))).toBeLessThanOrEqual(memory);
      expect(bloomBytes(bloomSize(Math.ceil(items / (partitions - 1)), 1e-6))).toBeGreaterThan(memory);
    }
  });
});

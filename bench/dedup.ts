import { hashWords } from '../src/formats/sample-hash.ts';
import { BloomFilter } from '../src/stages/dedup/bloom-filter.ts';
import { expectedRate, bloomBytes, bloomSize } from '../src/stages/dedup/bloom-size.ts';
import type { BenchResult } from './main.ts';

/** A URL of the usual length. */
const url = (set: string, i: number): string => `https://www.example-${i % 997}.com/wp-content/uploads/2022/10/${set}-${i}-1024x768.jpg`;
const RATE = 1e-3;

/** Hashes and adds URLs; making them up is not counted. */
function addAll(filter: BloomFilter, set: string, items: number): { seconds: number; known: number } {
  let microseconds = 0;
  let known = 0;
  for (let at = 0; at < items; at += 100_000) {
    const urls = Array.from({ length: Math.min(100_000, items - at) }, (_, i) => url(set, at + i));
    const before = process.cpuUsage();
    for (const each of urls) if (!filter.add(hashWords(each))) known++;
    microseconds += process.cpuUsage(before).user;
  }
  return { seconds: microseconds / 1e6, known };
}

/**
 * The dedup filter in memory on one core: URLs hashed and added per CPU second, as the filter grows, and the share of
 * new URLs that the full filter takes for known against what was asked. Option: the sizes (1e6,1e7,1e8).
 */
export function run([sizes = '1e6,1e7,1e8']: string[]): BenchResult {
  const rows: BenchResult['rows'] = [];
  for (const items of sizes.split(',').map(Number)) {
    const size = bloomSize(items, RATE);
    const filter = new BloomFilter(size);
    const seconds = addAll(filter, 'a', items).seconds;
    const full = filter.rate;
    // Few enough not to fill it further by much; what they do shows in the last column.
    const probes = Math.min(1_000_000, items / 20);
    const { known } = addAll(filter, 'b', probes);
    rows.push({
      keys: items,
      'MB of filter': bloomBytes(size) / 1e6,
      'bits a key': (8 * bloomBytes(size)) / items,
      'M keys/s': items / seconds / 1e6,
      asked: expectedRate(size, items),
      'from the bits': full,
      measured: known / probes,
      'after the probes': filter.rate,
    });
  }
  return {
    title: `dedup: blocked bloom filter for a false-positive rate of ${RATE}, one core`,
    rows,
    ratios: { rowsPerSecond: (rows[0]!['M keys/s'] as number) * 1e6 },
  };
}

import { hashWords } from '../src/formats/sample-hash.ts';
import { BloomFilter } from '../src/stages/dedup/bloom-filter.ts';
import { expectedRate, filterBytes, filterSize } from '../src/stages/dedup/filter-size.ts';
import type { BenchResult } from './main.ts';

/** A URL of the usual length. */
const url = (set: string, i: number): string => `https://www.example-${i % 997}.com/wp-content/uploads/2022/10/${set}-${i}-1024x768.jpg`;
const RATE = 1e-4;
const PROBES = 1_000_000;

/**
 * The dedup filter in memory on one core: URLs hashed and added per CPU second, as the filter grows, and the share of
 * new URLs that the full filter takes for known against what was asked. Option: the sizes (1e6,1e7,1e8).
 */
export function run([sizes = '1e6,1e7,1e8']: string[]): BenchResult {
  const rows: BenchResult['rows'] = [];
  for (const items of sizes.split(',').map(Number)) {
    const size = filterSize(items, RATE);
    const filter = new BloomFilter(size);
    const before = process.cpuUsage();
    for (let i = 0; i < items; i++) filter.add(hashWords(url('a', i)));
    const { user, system } = process.cpuUsage(before);
    const full = filter.rate;
    let known = 0;
    for (let i = 0; i < PROBES; i++) if (!filter.add(hashWords(url('b', i)))) known++;
    // Probes that were added fill it a little more: the rate between before and after is the one to compare with.
    rows.push({ keys: items, 'MB of filter': filterBytes(size) / 1e6, 'bits a key': (8 * filterBytes(size)) / items, 'M keys/s': items / ((user + system) / 1e6) / 1e6, asked: expectedRate(size, items), 'from the bits': full, measured: known / PROBES, 'bits after the probes': filter.rate });
  }
  return { title: `dedup: blocked bloom filter for a false-positive rate of ${RATE}, one core`, rows, ratios: { rowsPerSecond: (rows[0]!['M keys/s'] as number) * 1e6 } };
}

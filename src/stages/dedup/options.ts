import { z } from 'zod';
import { option } from '../../contracts/option.ts';

export const dedupOptions = z.object({
  dedupKey: option(z.enum(['url', 'url+language', 'url+text']).default('url'), 'What counts as the same link'),
  expectedItems: option(z.number().min(1).default(10_000_000), 'Distinct links that the bloom filter is sized for, those of --filter included', {
    unit: 'links',
  }),
  falsePositiveRate: option(z.number().gt(0).lt(1).default(1e-6), 'Probability that a new link is taken for a known one when the filter is full'),
  filter: option(z.array(z.string()).default([]), 'Filters of other runs whose links count as known (links/_filter/*.bloom); several are merged', {
    value: 'FILE,…',
    decidesResult: false,
    note: 'their content counts, not their paths',
  }),
  partitions: option(
    z.int().min(1).default(1),
    'Go over the input this many times, each time for the links of one part by URL hash, with a filter of that part only',
  ),
  filterMemory: option(z.number().min(0).default(0), 'Largest filter in memory; 0 is half of the memory there is', { unit: 'bytes', decidesResult: false }),
});
export type DedupOptions = z.output<typeof dedupOptions>;

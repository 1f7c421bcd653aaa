import { z } from 'zod';
import { option } from '../../contracts/option.ts';

export const dedupOptions = z.object({
  dedupKey: option(z.enum(['url', 'url+language', 'url+text']).default('url'), 'What counts as the same link', { shared: true, often: true }),
  expectedItems: option(z.number().min(1).default(10_000_000), 'Distinct links that the bloom filter is sized for, those of --bloom included', {
    unit: 'links',
    often: true,
  }),
  falsePositiveRate: option(z.number().gt(0).lt(1).default(1e-6), 'Probability that a new link is taken for a known one when the bloom filter is full'),
  bloom: option(z.array(z.string()).default([]), 'Bloom filters of other runs whose links count as known (links/_bloom/*.bloom); several are merged', {
    value: 'FILE,…',
    path: 'one',
    often: true,
    aliases: ['filter'],
    decidesResult: false,
    note: 'their content counts, not their paths',
  }),
  partitions: option(
    z.int().min(1).default(1),
    'Divide the links by URL hash into this many parts, each with a bloom filter of its own: as many parts at a time as fit into --bloom-memory',
  ),
  bloomMemory: option(z.number().min(0).default(0), "Memory for bloom filters; 0 means half of the machine's memory", {
    unit: 'bytes',
    often: true,
    aliases: ['filter-memory'],
    decidesResult: false,
  }),
});
export type DedupOptions = z.output<typeof dedupOptions>;

import { z } from 'zod';
import { option } from '../contracts/option.ts';

/** Options of every command that runs stages. */
export const runOptions = z.object({
  workers: option(z.int().min(1).optional(), 'Worker threads: shards that are worked on at a time; as many as there are cores where none is given', {
    aliases: ['processes-count'],
    often: true,
    decidesResult: false,
  }),
  rejects: option(z.enum(['sample', 'all']).default('sample'), 'What was dropped, in rejects/: a seeded sample of 100 per reason and shard, or all', {
    decidesResult: false,
  }),
  skipFailed: option(
    z
      .string()
      .regex(/^\d+(\.\d+)?%$/, 'expected a share such as 1%')
      .default('0%'),
    'Share of the shards of a stage that may fail for good and count as empty from then on; without a value all',
    {
      value: 'SHARE',
      bare: '100%',
      decidesResult: false,
    },
  ),
  redo: option(z.array(z.string()).default([]), 'Stages whose finished shards are made again, or all; killed, the same command without it goes on', {
    value: 'STAGE,…',
    often: true,
    decidesResult: false,
  }),
  acceptChanged: option(z.boolean().default(false), 'Keep finished shards that other options or inputs made, and write that into their markers', {
    decidesResult: false,
  }),
  keep: option(
    z.array(z.string()).optional(),
    'Datasets (candidates, links, batches, samples, pairs, …) whose files stay; those of the others are removed when everything that reads them is finished. All stay where it is not given. The search page shows pictures out of pairs',
    { value: 'DATASET,…', decidesResult: false },
  ),
  db: option(z.string().default('embedded'), 'PostgreSQL for the links: `embedded` starts one in the run folder, else postgres://…', {
    value: 'URL',
    decidesResult: false,
  }),
  dryRun: option(z.boolean().default(false), 'Print what would be done, and do nothing', { often: true, decidesResult: false }),
  quiet: option(z.boolean().default(false), 'No progress', { decidesResult: false }),
  json: option(z.boolean().default(false), 'Print the summary as JSON on stdout', { decidesResult: false }),
});
export type RunOptions = z.output<typeof runOptions>;

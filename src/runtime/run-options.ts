import { z } from 'zod';
import { option } from '../contracts/option.ts';

/** Options of every command that runs stages. */
export const runOptions = z.object({
  workers: option(z.int().min(1).optional(), 'Worker threads, each with one shard at a time; without it, one for each core', {
    aliases: ['processes-count'],
    often: true,
    decidesResult: false,
  }),
  rejects: option(
    z.enum(['sample', 'all']).default('sample'),
    'How much of what is dropped is written to rejects/: a seeded sample of 100 for each reason and shard, or all of it',
    {
      decidesResult: false,
    },
  ),
  skipFailed: option(
    z
      .string()
      .regex(/^\d+(\.\d+)?%$/, 'expected a share such as 1%')
      .default('0%'),
    'Share of the shards of a stage that may fail: they count as empty from then on, and the run goes on. Without a value, all may',
    {
      value: 'SHARE',
      bare: '100%',
      decidesResult: false,
    },
  ),
  redo: option(
    z.array(z.string()).default([]),
    'Make the finished shards of these stages again; all names every stage. If the run is killed, the same command without --redo goes on',
    {
      value: 'STAGE,…',
      often: true,
      decidesResult: false,
    },
  ),
  retryFailed: option(
    z.array(z.string()).default([]),
    'Ask again for the links that download has dropped under these reasons (timeout, dns-failed, 5xx, …; docs/download.md), in new shards. If the run is killed, the same command goes on with it, also without --retry-failed',
    {
      value: 'REASON,…',
      decidesResult: false,
    },
  ),
  acceptChanged: option(
    z.boolean().default(false),
    'Keep finished shards although they were made with other options or inputs; their markers say so from then on',
    {
      decidesResult: false,
    },
  ),
  keep: option(
    z.array(z.string()).optional(),
    'Keep the files of these datasets (candidates, links, batches, samples, pairs, …) only: those of the others are removed when everything that reads them is finished. Without it, all stay. The search page shows the pictures in pairs',
    { value: 'DATASET,…', decidesResult: false },
  ),
  fused: option(
    z.boolean().default(false),
    'Filter each picture as it is downloaded, so that dropped pictures never reach the disk. samples/ then has no tars, and filtering again needs a new download',
    { often: false, decidesResult: false },
  ),
  db: option(z.string().default('embedded'), 'PostgreSQL server for the links: embedded starts one in the run folder; postgres://… names one that runs', {
    value: 'URL',
    decidesResult: false,
  }),
  dryRun: option(z.boolean().default(false), 'Print what would be done, and make nothing', { often: true, decidesResult: false }),
  quiet: option(z.boolean().default(false), 'Print no progress, only failures', { decidesResult: false }),
  json: option(z.boolean().default(false), 'Print the summary as JSON on stdout', { decidesResult: false }),
});
export type RunOptions = z.output<typeof runOptions>;

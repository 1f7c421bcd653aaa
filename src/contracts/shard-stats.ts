import { z } from 'zod';
import { Dropped, StageName } from './drop-reason.ts';

/** What made a shard: kept in its marker so that a later command can name what differs. */
export const MadeBy = z.object({
  format: z.int().describe('version of the on-disk format of this stage'),
  options: z.record(z.string(), z.unknown()).describe('the options that decide the result'),
  models: z.record(z.string(), z.string()).describe('sha256 of each model file used'),
  inputs: z.record(z.string(), z.string()).describe("each input's name and its fingerprint or size"),
});
export type MadeBy = z.infer<typeof MadeBy>;

/**
 * `NNNNN_stats.json`, written last: the completion marker of a shard (img2dataset's convention, its keys kept).
 * `in` = `out` + the sum of `dropped`.
 */
export const ShardStats = z.looseObject({
  stage: StageName,
  shard: z.string().describe('name of the shard, digits'),
  in: z.int().nonnegative().describe('items that came in'),
  out: z.int().nonnegative().describe('items written, counted by reading the output again'),
  dropped: Dropped,
  warnings: z.array(z.string()).optional().describe('what the user should hear of, though nothing failed'),
  duration: z.number().describe('seconds of wall clock'),
  start_time: z.number().describe('unix seconds'),
  end_time: z.number().describe('unix seconds'),
  fingerprint: z.string().describe('sha256 of made_by'),
  made_by: MadeBy,
});
export type ShardStats = z.infer<typeof ShardStats>;

/** One line of `summary.json`. */
export const StageSummary = z.object({
  name: z.string(),
  in: z.int(),
  out: z.int(),
  dropped: Dropped,
  seconds: z.number(),
});
export type StageSummary = z.infer<typeof StageSummary>;

export const Summary = z.object({ version: z.string(), stages: z.array(StageSummary) });
export type Summary = z.infer<typeof Summary>;

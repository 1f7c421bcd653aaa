import { z } from 'zod';
import { Dropped } from './drop-reason.ts';

/** What made a shard: kept in its marker so that a later command can name what differs. */
export const MadeBy = z.object({
  format: z.int().describe('version of the on-disk format of this stage'),
  options: z.record(z.string(), z.unknown()).describe('the options that decide the result'),
  models: z.record(z.string(), z.string()).describe('sha256 of each model file used'),
  inputs: z.record(z.string(), z.string()).describe("each input's name and its digest"),
});
export type MadeBy = z.infer<typeof MadeBy>;

/** A file of a shard, relative to its dataset. A folder is listed file by file. */
export const ShardFile = z.object({ name: z.string(), bytes: z.int().nonnegative(), sha256: z.string() });
export type ShardFile = z.infer<typeof ShardFile>;

/**
 * `NNNNN_stats.json`, written last: the completion marker of a shard (img2dataset's convention, its keys kept).
 * `in` = `out` + the sum of `dropped`.
 */
export const ShardStats = z.looseObject({
  stage: z.string(),
  shard: z.string().describe('name of the shard, digits'),
  in: z.int().nonnegative().describe('items that came in'),
  out: z.int().nonnegative().describe('items written, counted by reading the output again'),
  dropped: Dropped,
  retried: z
    .record(z.string(), Dropped)
    .optional()
    .describe('what --retry-failed tried again here: by the shard of the stage that had dropped it, under which reasons'),
  warnings: z.array(z.string()).optional().describe('what the user should hear of, though nothing failed'),
  duration: z.number().describe('seconds of wall clock'),
  start_time: z.number().describe('unix seconds'),
  end_time: z.number().describe('unix seconds'),
  files: z.array(ShardFile).describe('what the shard consists of'),
  digest: z.string().describe('sha256 over the files; over the inputs where there is no file'),
  lineage: z.string().optional().describe('sha256 over the lineages of the shards before it and its own digest'),
  made_by: MadeBy,
  accepted_from: MadeBy.optional().describe('what really made it, where --accept-changed kept it'),
  redo: z.string().optional().describe('id of the --redo that made it'),
  skipped: z.object({ reason: z.string(), tries: z.int() }).optional().describe('--skip-failed: it counts as empty, for this reason'),
  removed: z.number().optional().describe('unix seconds at which --keep removed the files, or from which on --fused had no use for them'),
  kept: z.array(z.string()).optional().describe('files that are there although the others are removed'),
  damaged: z.string().optional().describe('what `verify --mend` found wrong with the files: the next command makes the shard again'),
});
export type ShardStats = z.infer<typeof ShardStats>;

/** `_sealed.json` of a dataset: which shards it consists of, written when all are there. */
export const SealedDataset = z.object({
  stage: z.string(),
  shards: z.record(z.string(), z.string()).describe('digest by shard'),
  digest: z.string().describe('sha256 over the names and digests'),
  record: z.record(z.string(), z.unknown()).optional().describe('what the stage has recorded for those that read it'),
});
export type SealedDataset = z.infer<typeof SealedDataset>;

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

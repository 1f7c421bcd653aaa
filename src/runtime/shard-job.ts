import { join } from 'node:path';
import { z } from 'zod';
import { type Dropped, totalDropped } from '../contracts/drop-reason.ts';
import { messageOf, RunError, ShardError, systemCode } from '../contracts/errors.ts';
import type { MadeBy, ShardStats } from '../contracts/shard-stats.ts';
import type { Effects, Shard, Stage, StageContext } from '../contracts/stage.ts';
import { fingerprintOf, writeMarker } from './completion.ts';
import { Rejects } from './rejects.ts';

/** One shard to run: plain data, so that it can go to a thread or another machine. */
export interface ShardJob {
  stage: string;
  shard: Shard;
  context: StageContext<unknown>;
  madeBy: MadeBy;
  rejects: 'sample' | 'all';
}

/** What the one who runs a job may want to hear. */
export interface JobEvents {
  signal: AbortSignal;
  progress(counts: { in?: number; out?: number; dropped?: number }): void;
  reached(point: string): void;
}

/**
 * Runs one shard of a stage and writes its rejects and then its marker.
 * Throws ShardError (this shard failed) or RunError (nothing can go on, such as a full disk).
 */
export async function runShardJob(stage: Stage, job: ShardJob, events: JobEvents): Promise<ShardStats> {
  const { folders } = job.context;
  try {
    const rejects = await Rejects.open(job.rejects, join(folders.rejects, stage.name), job.shard.name, `${stage.name} ${job.shard.name}`);
    try {
      return await runToMarker(stage, job, events, rejects);
    } catch (error) {
      await rejects.discard();
      throw error;
    }
  } catch (error) {
    throw asStageError(error, stage, job.shard, folders.output);
  }
}

async function runToMarker(stage: Stage, job: ShardJob, events: JobEvents, rejects: Rejects): Promise<ShardStats> {
  const { shard } = job;
  const context = job.context as StageContext<z.output<z.ZodObject>>;
  const started = Date.now();
  const effects: Effects = {
    signal: events.signal,
    progress: events.progress,
    drop: (reason, item) => {
      rejects.add(reason, item);
      events.progress({ dropped: 1 });
    },
    reached: (point) => events.reached(`${stage.name}.${point}`),
  };
  const result = await stage.run(shard, context, effects);
  assertReconciled(stage, shard, result.in, result.out, rejects.dropped);
  await rejects.publish();
  const ended = Date.now();
  const stats: ShardStats = {
    stage: stage.name,
    shard: shard.name,
    in: result.in,
    out: result.out,
    dropped: Object.fromEntries(Object.entries(rejects.dropped).sort(([a], [b]) => (a < b ? -1 : 1))),
    ...(result.warnings && result.warnings.length > 0 && { warnings: result.warnings }),
    ...result.extra,
    duration: (ended - started) / 1000,
    start_time: started / 1000,
    end_time: ended / 1000,
    fingerprint: fingerprintOf(job.madeBy),
    made_by: job.madeBy,
  };
  effects.reached('unmarked');
  await writeMarker(context.folders.output, stats);
  effects.reached('marked');
  await stage.finished?.(shard, context);
  return stats;
}

function assertReconciled(stage: Stage, shard: Shard, came: number, out: number, dropped: Dropped): void {
  if (came === out + totalDropped(dropped)) return;
  const reasons = JSON.stringify(dropped);
  throw new ShardError(`${stage.name} ${shard.name}: counts do not reconcile: ${came} in, ${out} out, dropped ${reasons}. Please report this.`);
}

/** Gives an error its place and its class. */
function asStageError(error: unknown, stage: Stage, shard: Shard, output: string): Error {
  const code = systemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new RunError(`${stage.name} ${shard.name}: the disk of ${output} is full. Free space and start the same command again: finished shards stay.`, {
      cause: error,
    });
  }
  if (error instanceof RunError || error instanceof ShardError) return error;
  return new ShardError(`${stage.name} ${shard.name}: ${messageOf(error)}`, { cause: error });
}

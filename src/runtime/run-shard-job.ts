import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Dataset, DatasetInput } from '../contracts/dataset.ts';
import { messageOf, RunError, ShardError, systemCode, UsageError } from '../contracts/errors.ts';
import type { ShardStats } from '../contracts/shard-stats.ts';
import type { Resources, RunContext, Stage } from '../contracts/stage.ts';
import { openStorage } from '../storage/open-storage.ts';
import type { Storage } from '../contracts/storage.ts';
import { openDataset } from './open-dataset.ts';
import { type FusedPart, makeFusedShard } from './fused-shard.ts';
import { scratchRoot } from './local-home.ts';
import type { FusedWith, JobHost, JobResult, ShardJob } from './shard-job.ts';
import { ShardMaking } from './shard-making.ts';

/** Makes one shard, or seals a stage. `stages` are all that a job may name. Throws ShardError (this shard failed) or RunError (nothing can go on). */
export async function runShardJob(stages: readonly Stage[], job: ShardJob, host: JobHost): Promise<JobResult> {
  const stage = stages.find(({ name }) => name === job.stage)!;
  const name = job.shard?.name ?? 'seal';
  const output = job.settings.locations[stage.writes]!;
  const scratch = await makeScratch(job.settings.location, `${stage.name}-${name}-`).catch((error: unknown) => {
    throw asStageError(error, stage, name, output, host.signal);
  });
  const resources = host.resources.forShard();
  try {
    const own = await openStorage(output, host.environment);
    const context = await runContext(stage, job, host, own, scratch, resources);
    const reached = (point: string): void => host.reached(`${stage.name}.${point}`);
    const { shard } = job;
    if (shard && job.fused) return await runFused({ stage, job: { ...job, shard }, own, context }, job.fused, stages, host, resources);
    if (shard) return { marker: await makeShard({ stage, job: { ...job, shard }, own, context }, host) };
    return { record: (await stage.seal?.(context, { signal: host.signal, reached })) ?? undefined };
  } catch (error) {
    throw asStageError(error, stage, name, output, host.signal);
  } finally {
    await resources.release().catch(() => undefined);
    // What can't be removed hides no error of the shard: the next run removes it.
    await rm(scratch, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function makeScratch(location: string, prefix: string): Promise<string> {
  const root = await scratchRoot(location);
  await mkdir(root, { recursive: true });
  return mkdtemp(join(root, prefix));
}

async function makeShard({ stage, job, own, context }: FusedPart, host: JobHost): Promise<ShardStats> {
  const making = await ShardMaking.begin({ stage, job, host, own, scratch: context.scratch });
  try {
    const stats = await making.publish(await stage.run({ ...job.shard, work: stage.work.parse(job.shard.work) }, context, making.effects));
    await making.mark(stats);
    return stats;
  } catch (error) {
    await making.discard();
    throw error;
  }
}

async function runFused(from: FusedPart, fused: FusedWith, stages: readonly Stage[], host: JobHost, resources: Resources): Promise<JobResult> {
  const { settings } = from.job;
  const stage = stages.find(({ name }) => name === fused.stage)!;
  const own = await openStorage(settings.locations[stage.writes]!, host.environment);
  // Both have files of the same names.
  const scratch = join(from.context.scratch, stage.name);
  await mkdir(scratch);
  // What comes before a shard of samples is none of the other stage's.
  const { name: shard, work } = from.job.shard;
  const job = { stage: stage.name, shard: { name: shard, work, inputs: [] }, settings, madeBy: fused.madeBy, lineages: [], redo: fused.redo };
  return makeFusedShard(from, { stage, job, own, context: await runContext(stage, job, host, own, scratch, resources) }, host);
}

async function runContext(
  stage: Stage,
  { settings, redo }: ShardJob,
  host: JobHost,
  own: Storage,
  scratch: string,
  resources: Resources,
): Promise<RunContext<z.output<z.ZodObject>>> {
  const datasets = new Map<string, Dataset>();
  for (const input of [...stage.reads, ...(stage.consults ?? []).map((dataset): DatasetInput => ({ dataset }))]) {
    const location = settings.locations[input.dataset];
    if (location !== undefined)
      datasets.set(
        input.dataset,
        openDataset(input.dataset, await openStorage(location, host.environment), input, join(scratch, 'inputs', input.dataset), host.signal),
      );
  }
  return {
    options: settings.options[stage.name] ?? {},
    input: settings.inputs[stage.name],
    dataset: (name) => datasets.get(name),
    own: openDataset(stage.writes, own, undefined, join(scratch, 'own'), host.signal, (marker) => redo === undefined || marker.redo === redo),
    scratch,
    resources,
    database: host.database,
    environment: host.environment,
    runLocation: settings.location,
    runId: settings.id,
    acceptChanged: settings.acceptChanged,
  };
}

/** Gives an error its subject and its class. */
function asStageError(error: unknown, stage: Stage, shard: string, output: string, signal: AbortSignal): Error {
  if (signal.aborted) return new RunError('Stopped.', { cause: error });
  const code = systemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new RunError(`${stage.name} ${shard}: the disk of ${output} is full. Free space and start the same command again: finished shards stay.`, {
      cause: error,
    });
  if (code === 'EROFS')
    return new RunError(
      `${stage.name} ${shard}: the disk of ${(error as NodeJS.ErrnoException).path ?? output} has become read-only. Look at that disk (dmesg may say why). Nothing is lost: when it can be written again, the same command goes on from here.`,
      { cause: error },
    );
  if (code === 'EACCES' || code === 'EPERM')
    return new RunError(`${stage.name} ${shard}: ${messageOf(error)}. Check who may read and write there.`, { cause: error });
  if (error instanceof RunError || error instanceof ShardError || error instanceof UsageError) return error;
  return new ShardError(`${stage.name} ${shard}: ${messageOf(error)}`, { cause: error });
}

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Dataset, DatasetInput, SealRecord } from '../contracts/dataset.ts';
import { type Dropped, totalDropped } from '../contracts/drop-reason.ts';
import { messageOf, RunError, ShardError, systemCode, UsageError } from '../contracts/errors.ts';
import type { MadeBy, ShardStats } from '../contracts/shard-stats.ts';
import { packageVersion } from '../contracts/package-root.ts';
import type { Effects, Journal, Resources, RunContext, Shard, ShardResult, Stage } from '../contracts/stage.ts';
import { joinLocation } from '../storage/location.ts';
import { openStorage } from '../storage/open-storage.ts';
import { PublishedFiles } from '../storage/shard-files.ts';
import type { Storage } from '../contracts/storage.ts';
import { openDataset } from './dataset-reader.ts';
import { scratchRoot } from './local-home.ts';
import { digestOf, lineageOf, markerName, readMarker, writeMarker } from './marker.ts';
import { Rejects } from './rejects.ts';
import type { ResourcePool } from './resource-pool.ts';
import type { RunSettings } from './run-settings.ts';
import { ShardJournal } from './shard-journal.ts';
import { isOurs } from './shard-verdict.ts';

/** One shard to make, or a stage to seal: plain data, so that it can go to a thread or another machine. */
export interface ShardJob {
  stage: string;
  /** Absent: the stage is to be sealed. */
  shard?: Shard;
  settings: RunSettings;
  madeBy: MadeBy;
  /** Lineages of the shards that `after` names; empty where the shard depends on none of its stage. */
  lineages: readonly string[];
  /** Id of the open --redo under which it is made. */
  redo?: string | undefined;
}

/** What a job brings: of a shard its marker, of a seal what the stage records. */
export interface JobResult {
  marker?: ShardStats;
  record?: SealRecord | undefined;
}

/** What the process that runs a job has to offer. */
export interface JobHost {
  signal: AbortSignal;
  resources: ResourcePool;
  environment: Readonly<Record<string, string | undefined>>;
  database(): Promise<string>;
  progress(counts: { in?: number; out?: number; dropped?: number }): void;
  reached(point: string): void;
}

/**
 * Makes one shard: its files, its rejects and, last, its marker. Of a shard that is made again the old marker goes first, then its
 * files; where the stage swaps, the old files go last. Throws ShardError (this shard failed) or RunError (nothing can go on).
 */
export async function runShardJob(stage: Stage, job: ShardJob, host: JobHost): Promise<JobResult> {
  const name = job.shard?.name ?? 'seal';
  const root = await scratchRoot(job.settings.location);
  await mkdir(root, { recursive: true });
  const scratch = await mkdtemp(join(root, `${stage.name}-${name}-`));
  const resources = host.resources.forShard();
  try {
    const own = await openStorage(job.settings.locations[stage.writes]!, host.environment);
    const context = await runContext(stage, job, host, own, scratch, resources);
    const reached = (point: string): void => host.reached(`${stage.name}.${point}`);
    if (job.shard) return { marker: await makeShard(stage, { ...job, shard: job.shard }, host, own, context) };
    return { record: (await stage.seal?.(context, { signal: host.signal, reached })) ?? undefined };
  } catch (error) {
    throw asStageError(error, stage, name, job.settings.locations[stage.writes]!, host.signal);
  } finally {
    await resources.release().catch(() => undefined);
    await rm(scratch, { recursive: true, force: true });
  }
}

async function makeShard(
  stage: Stage,
  job: ShardJob & { shard: Shard },
  host: JobHost,
  own: Storage,
  context: RunContext<z.output<z.ZodObject>>,
): Promise<ShardStats> {
  const { shard, settings } = job;
  const started = Date.now();
  const reached = (point: string): void => host.reached(`${stage.name}.${point}`);
  const rejectsStorage = await openStorage(settings.rejectsLocation ?? joinLocation(settings.location, 'rejects'), host.environment);
  const rejects = await Rejects.open(settings.rejects, rejectsStorage, context.scratch, `${stage.name}/${shard.name}.parquet`, `${stage.name} ${shard.name}`);
  const files = new PublishedFiles(own, context.scratch);
  let journal: ShardJournal | undefined;
  try {
    const old = await readMarker(own, shard.name);
    if (old && !stage.swaps) await removeShard(own, shard.name, old, reached);
    const effects: Effects = {
      signal: host.signal,
      files,
      journal: async <Value>(key: unknown) => {
        const whole = { key, madeBy: job.madeBy, redo: job.redo, version: packageVersion() };
        journal ??= await ShardJournal.open(settings.location, stage.name, shard.name, whole);
        return journal as Journal<Value>;
      },
      progress: host.progress,
      drop: (reason, item) => {
        rejects.add(reason, item);
        host.progress({ dropped: 1 });
      },
      reached,
    };
    const work: unknown = stage.work.parse(shard.work);
    const result = await stage.run({ ...shard, work }, context, effects);
    host.signal.throwIfAborted();
    const out = await countOut(files, result);
    assertReconciled(stage, shard, result.in, out, rejects.dropped);
    const written = await files.checksums();
    reached('written');
    await files.publish(host.signal);
    reached('renamed');
    await rejects.publish();
    const digest = digestOf(written, job.madeBy.inputs);
    const ended = Date.now();
    const stats: ShardStats = {
      stage: stage.name,
      shard: shard.name,
      in: result.in,
      out,
      dropped: Object.fromEntries(Object.entries(rejects.dropped).sort(([a], [b]) => (a < b ? -1 : 1))),
      ...(result.warnings && result.warnings.length > 0 && { warnings: result.warnings }),
      ...result.extra,
      duration: (ended - started) / 1000,
      start_time: started / 1000,
      end_time: ended / 1000,
      files: written,
      digest,
      ...(shard.after && { lineage: lineageOf(job.lineages, digest) }),
      made_by: job.madeBy,
      ...(job.redo !== undefined && { redo: job.redo }),
    };
    reached('unmarked');
    await writeMarker(own, stats);
    reached('marked');
    await journal?.remove();
    if (old && stage.swaps && isOurs(old))
      await removeFiles(
        own,
        old.files.map((file) => file.name).filter((file) => !written.some(({ name }) => name === file)),
      );
    return stats;
  } catch (error) {
    await journal?.close();
    await files.discard();
    await rejects.discard();
    throw error;
  }
}

/** Removes the marker of a shard, then its files: killed between the two, it is a shard that is not there. */
export async function removeShard(
  storage: Storage,
  shard: string,
  marker: ShardStats | { foreign: unknown },
  reached: (point: string) => void = () => undefined,
): Promise<void> {
  await storage.remove(markerName(shard));
  reached('unmade');
  if (isOurs(marker))
    await removeFiles(
      storage,
      marker.files.map(({ name }) => name),
    );
}

async function removeFiles(storage: Storage, names: readonly string[]): Promise<void> {
  for (const name of names) await storage.remove(name);
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

async function countOut(files: PublishedFiles, { out }: ShardResult): Promise<number> {
  if (typeof out !== 'number') return files.close(out);
  await files.close([]);
  return out;
}

function assertReconciled(stage: Stage, shard: Shard, taken: number, out: number, dropped: Dropped): void {
  if (taken === out + totalDropped(dropped)) return;
  const reasons = JSON.stringify(dropped);
  throw new ShardError(`${stage.name} ${shard.name}: counts do not reconcile: ${taken} in, ${out} out, dropped ${reasons}. Please report this.`);
}

/** Gives an error its subject and its class. */
function asStageError(error: unknown, stage: Stage, shard: string, output: string, signal: AbortSignal): Error {
  if (signal.aborted) return new RunError('Stopped.', { cause: error });
  const code = systemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new RunError(`${stage.name} ${shard}: the disk of ${output} is full. Free space and start the same command again: finished shards stay.`, {
      cause: error,
    });
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM')
    return new RunError(`${stage.name} ${shard}: ${messageOf(error)}. Check who may read and write there.`, { cause: error });
  if (error instanceof RunError || error instanceof ShardError || error instanceof UsageError) return error;
  return new ShardError(`${stage.name} ${shard}: ${messageOf(error)}`, { cause: error });
}

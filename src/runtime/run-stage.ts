import type { z } from 'zod';
import { type Dropped, totalDropped } from '../contracts/drop-reason.ts';
import { messageOf, RunError, UsageError } from '../contracts/errors.ts';
import type { MadeBy, ShardStats, StageSummary } from '../contracts/shard-stats.ts';
import type { Shard, Stage, StageContext } from '../contracts/stage.ts';
import { differences, fingerprintOf, publishedShards, readMarker, writeMarker } from './completion.ts';
import type { Executor } from './executor.ts';

/** What someone may want to see of a running stage. */
export interface StageEvents {
  progress(counts: { in?: number; out?: number; dropped?: number }): void;
  /** A shard has its marker; `already` where it had it before. */
  finished(stats: ShardStats, already: boolean): void;
  failed(shard: string, message: string): void;
  reached(point: string): void;
}

export interface StageRunOptions {
  /** Make finished shards again. */
  redo: boolean;
  /** Keep shards that other options made, and write that down in their markers. */
  acceptChanged: boolean;
  rejects: 'sample' | 'all';
}

export interface StageOutcome {
  summary: StageSummary;
  failed: { shard: string; message: string }[];
}

/**
 * Runs all shards of one stage that have no marker, as many at a time as the executor has workers (one at a time and
 * in order where the stage is ordered). A shard that fails costs itself; a RunError ends the stage.
 */
export async function runStage(
  stage: Stage,
  context: StageContext<z.output<z.ZodObject>>,
  executor: Executor,
  settings: StageRunOptions,
  events: StageEvents,
): Promise<StageOutcome> {
  const started = performance.now();
  const options = decidingOptions(stage, context.options);
  let models: Record<string, string> = {};
  const finished: ShardStats[] = [];
  const failed: { shard: string; message: string }[] = [];
  const running = new Set<Promise<void>>();
  let fatal: Error | undefined;
  let failures = 0;
  /** Seconds of work that earlier, stopped runs put into shards that are kept. */
  let before = 0;

  const runOne = async (shard: Shard): Promise<void> => {
    const madeBy: MadeBy = { format: stage.format, options, models, inputs: namedInputs(shard) };
    const marker = settings.redo ? undefined : await acceptedMarker(stage, shard, context, madeBy, settings);
    if (marker) {
      await stage.finished?.(shard, context);
      finished.push(marker);
      before += marker.duration;
      events.finished(marker, true);
      return;
    }
    const stats = await executor.run({ stage: stage.name, shard, context, madeBy, rejects: settings.rejects }, { progress: events.progress });
    finished.push(stats);
    events.finished(stats, false);
  };

  const limit = stage.ordered ? 1 : executor.workers;
  const planned = await stage.plan(context, { reached: (point) => events.reached(`${stage.name}.${point}`) });
  if (Array.isArray(planned)) await refuseLeftovers(stage, planned, context.folders.output);
  // After the plan: a missing input is said before a model is downloaded for it.
  models = (await stage.models?.(context.options)) ?? {};
  for await (const shard of planned) {
    const task = runOne(shard)
      .catch((error: unknown) => {
        if (error instanceof RunError || error instanceof UsageError) fatal ??= error;
        else {
          failures++;
          failed.push({ shard: shard.name, message: messageOf(error) });
          events.failed(shard.name, messageOf(error));
        }
      })
      .finally(() => running.delete(task));
    running.add(task);
    if (running.size >= limit) await Promise.race(running);
    // The next shard of an ordered stage would be decided without this one.
    if (fatal || (stage.ordered && failures > 0)) break;
  }
  await Promise.all(running);
  if (fatal) throw fatal;
  finished.sort((a, b) => (a.shard < b.shard ? -1 : 1));
  return {
    summary: summarise(stage.name, finished, (performance.now() - started) / 1000 + before / limit),
    failed: failed.sort((a, b) => (a.shard < b.shard ? -1 : 1)),
  };
}

/** Sums markers into the line of `summary.json`. */
export function summarise(name: string, shards: readonly ShardStats[], seconds: number): StageSummary {
  const dropped: Dropped = {};
  for (const shard of shards) for (const [reason, n] of Object.entries(shard.dropped)) dropped[reason] = (dropped[reason] ?? 0) + n;
  const sum = (key: 'in' | 'out'): number => shards.reduce((total, shard) => total + shard[key], 0);
  const summary: StageSummary = {
    name,
    in: sum('in'),
    out: sum('out'),
    dropped: Object.fromEntries(Object.entries(dropped).sort(([, a], [, b]) => b - a)),
    seconds: Math.round(seconds * 1000) / 1000,
  };
  if (summary.in !== summary.out + totalDropped(dropped)) throw new RunError(`${name}: counts do not reconcile over its shards: ${JSON.stringify(summary)}`);
  return summary;
}

/** The marker of a shard made the same way; undefined where there is none. Refuses a marker of another making. */
async function acceptedMarker(
  stage: Stage,
  shard: Shard,
  context: StageContext<unknown>,
  madeBy: MadeBy,
  settings: StageRunOptions,
): Promise<ShardStats | undefined> {
  const marker = await readMarker(context.folders.output, shard.name);
  if (!marker || marker.fingerprint === fingerprintOf(madeBy)) return marker;
  if (settings.acceptChanged) {
    const accepted: ShardStats = { ...marker, fingerprint: fingerprintOf(madeBy), made_by: madeBy, accepted_from: marker.made_by };
    await writeMarker(context.folders.output, accepted);
    return accepted;
  }
  throw new UsageError(
    `${stage.name} ${shard.name} in ${context.folders.output} was made otherwise: ${differences(marker.made_by, madeBy).join('; ')}. ` +
      `Nothing was changed. Use the options of then, --redo ${stage.name} to make it again, or --accept-changed to keep it.`,
  );
}

/** Shards of an older plan would flow on unnoticed. */
async function refuseLeftovers(stage: Stage, planned: readonly Shard[], output: string): Promise<void> {
  const names = new Set(planned.map(({ name }) => name));
  const left = (await publishedShards(output)).filter(({ shard }) => !names.has(shard));
  if (left.length === 0) return;
  throw new UsageError(
    `${output} holds ${left.length} shards of ${stage.name} that this command would not make (first: ${left[0]!.shard}): its input was larger then. Give another output folder, or remove them.`,
  );
}

/** Options that can change the result: all but those declared with `decidesResult: false`. */
function decidingOptions(stage: Stage, options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([key]) => (stage.options.shape[key] as z.ZodType | undefined)?.meta()?.decidesResult !== false));
}

/** Inputs by file name; with its folder where two files of one name come in, as of the sets. Not by path: a run folder may move. */
function namedInputs({ inputs }: Shard): Record<string, string> {
  // The query of a URL may be its signature.
  const lastParts = (count: number): string[] =>
    inputs.map(({ path }) =>
      path
        .replace(/^(https?:[^?#]*).*$/i, '$1')
        .split('/')
        .slice(-count)
        .join('/'),
    );
  const names = new Set(lastParts(1)).size === inputs.length ? lastParts(1) : lastParts(2);
  return Object.fromEntries(inputs.map(({ identity }, i) => [names[i]!, identity]));
}

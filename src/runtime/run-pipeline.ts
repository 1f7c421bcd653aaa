import { rmdir } from 'node:fs/promises';
import type { DatasetState, PublishedShard } from '../contracts/dataset.ts';
import { type Dropped, totalDropped } from '../contracts/drop-reason.ts';
import { counted } from '../contracts/counted.ts';
import { UsageError } from '../contracts/errors.ts';
import type { ShardStats, StageSummary } from '../contracts/shard-stats.ts';
import type { Stage } from '../contracts/stage.ts';
import { openStorage } from '../storage/open-storage.ts';
import { readDatasetState } from './dataset-state.ts';
import type { Executor } from './executor.ts';
import { scratchRoot } from './local-home.ts';
import { removeJournals } from './shard-journal.ts';
import { forgetRecordedWork } from './recorded-work.ts';
import { readRunRecord, type RunRecord, withRedo, writeRunRecord } from './run-record.ts';
import type { RunSettings } from './run-settings.ts';
import { Scheduler } from './scheduler.ts';
import type { SchedulerEvents } from './scheduler-settings.ts';
import type { StageActivity } from './stage-work.ts';
import { StageState } from './stage-state.ts';

/** One run: which stages, with which options, where. */
export interface PipelineRun {
  stages: readonly Stage[];
  /** Without `id`: the run's record gives it. */
  settings: Omit<RunSettings, 'id'>;
  environment: Readonly<Record<string, string | undefined>>;
  /** Stages whose finished shards are made again. */
  redo: readonly string[];
  /** Reasons under which items were dropped that are to be tried again, by the stages that can. */
  retry?: readonly string[];
  /** Share of a stage's shards that may be skipped when they fail for good. */
  skipFailed: number;
  /** Datasets whose files stay when everything that reads them is finished; undefined for all. */
  keep?: readonly string[] | undefined;
  /** Samples go from the stage that packs them straight to the one that reads them; their tars are not kept. */
  fused?: boolean;
  version: string;
  signal: AbortSignal;
  tries?: number;
  firstPauseMs?: number;
}

export interface PipelineOutcome {
  stages: StageSummary[];
  failed: { stage: string; shard: string; message: string }[];
  /** Stages that are not whole, and the stages whose failed shards they wait for. */
  waiting: { stage: string; for: string[] }[];
  /** Shards that were there already. */
  already: number;
  made: number;
}

/** An opened run: planned, and ready to go. */
export interface OpenedRun {
  readonly states: readonly StageState[];
  readonly scheduler: Scheduler;
  readonly settings: RunSettings;
  run(): Promise<PipelineOutcome>;
}

/** Reads what is there and plans it. Throws UsageError for what is refused, before anything is changed. */
export async function openRun(run: PipelineRun, executor: Executor, events: SchedulerEvents): Promise<OpenedRun> {
  const storage = await openStorage(run.settings.location, run.environment);
  const unknown = run.redo.find((name) => !run.stages.some((stage) => stage.name === name));
  if (unknown !== undefined)
    throw new UsageError(`--redo ${unknown}: this command has no such stage. It has ${run.stages.map(({ name }) => name).join(', ')}.`);
  const before = await readRunRecord(storage, run.version);
  const record = withRedo(before, run.redo);
  const settings: RunSettings = { ...run.settings, id: record.id };
  const isNewRedo = ({ name }: Stage): boolean => record.redo[name] !== before.redo[name];
  for (const stage of run.stages) {
    const readers = run.stages.filter(({ reads }) => reads.some(({ dataset }) => dataset === stage.writes)).map(({ name }) => name);
    stage.check?.(settings.options[stage.name] ?? {}, readers);
  }
  const states: StageState[] = [];
  for (const stage of run.stages) {
    const state = await StageState.open(stage, await openStorage(settings.locations[stage.writes]!, run.environment), settings, isNewRedo(stage));
    state.redo = record.redo[stage.name];
    if (stage.retries) state.retry = run.retry ?? [];
    states.push(state);
  }
  const given = await givenDatasets(run, settings);
  const scheduler = new Scheduler(states, executor, { ...run, run: settings, given }, events);
  await scheduler.plan();
  for (const state of states) assertReadable(state, given, settings);
  return {
    states,
    scheduler,
    settings,
    run: async () => {
      for (const { stage, storage: own } of states) if (stage.records && isNewRedo(stage)) await forgetRecordedWork(own);
      await writeRunRecord(storage, withDecisions(record, run, settings));
      try {
        await scheduler.run();
      } finally {
        await rmdir(await scratchRoot(settings.location)).catch(() => undefined);
        for (const { sealed, stage } of states) if (sealed) await removeJournals(settings.location, stage.name);
        await writeRunRecord(storage, withDecisions(closeRedo(record, states), run, settings)).catch(() => undefined);
      }
      return outcomeOf(states, scheduler.activities);
    },
  };
}

/** Datasets that are read and that no stage of this command writes: nothing is added to them while it runs. */
async function givenDatasets({ stages, environment }: PipelineRun, settings: RunSettings): Promise<Map<string, DatasetState>> {
  const given = new Map<string, DatasetState>();
  for (const stage of stages) {
    if (settings.inputs[stage.name] !== undefined && stage.takes !== undefined) continue;
    for (const input of stage.reads) {
      const { dataset, optional } = input;
      if (stages.some(({ writes }) => writes === dataset) || given.has(dataset) || settings.locations[dataset] === undefined) continue;
      const state = await readDatasetState(await openStorage(settings.locations[dataset], environment), input);
      if (state.shards.length > 0) given.set(dataset, { ...state, sealed: true });
      else if (!optional)
        throw new UsageError(
          `${stage.name} reads ${dataset}, and ${settings.locations[dataset]} holds no finished shard of it. Run the stage before it, or name another folder with --input.`,
        );
    }
  }
  return given;
}

/** Throws UsageError where a shard that is to be made reads files that --keep has removed or that are damaged, and no stage of this command makes them again. */
function assertReadable({ stage, pending }: StageState, given: ReadonlyMap<string, DatasetState>, settings: RunSettings): void {
  const wanted = new Set(pending.flatMap(({ shard }) => shard.inputs.map(({ name }) => name)));
  for (const { dataset } of stage.reads) {
    const read = given.get(dataset)?.shards.filter(({ name }) => wanted.has(dataset) || wanted.has(`${dataset}/${name}`)) ?? [];
    const whole = 'Nothing was changed. Give the command that made the whole run, with the same --redo: it makes them again where that can be done.';
    const filesOf = (shards: readonly PublishedShard[]): string =>
      `${stage.name} reads ${dataset}, of which the files of ${counted(shards.length, 'shards')} in ${settings.locations[dataset]}`;
    const [removed, damaged] = [read.filter((shard) => shard.removed), read.filter((shard) => shard.damaged !== undefined)];
    if (removed.length > 0) throw new UsageError(`${filesOf(removed)} were removed (--keep). ${whole}`);
    if (damaged.length > 0) throw new UsageError(`${filesOf(damaged)} are damaged: ${damaged[0]!.damaged}. ${whole}`);
  }
}

/** A URL without what may be a signature or a password. */
function withoutSecrets(input: string): string {
  return input.replaceAll(/(https?:\/\/)(?:[^/@,]*@)?([^?#,]*)[^,]*/gi, '$1$2');
}

/** A redo ends when its stage is whole. */
function closeRedo(record: RunRecord, states: readonly StageState[]): RunRecord {
  const open = Object.entries(record.redo).filter(([stage]) => !states.some((state) => state.stage.name === stage && state.whole));
  return { ...record, redo: Object.fromEntries(open) };
}

function withDecisions(record: RunRecord, { stages }: PipelineRun, { options, locations, inputs, location }: RunSettings): RunRecord {
  const relative = (path: string): string => (path === location ? '.' : path.startsWith(`${location}/`) ? path.slice(location.length + 1) : path);
  const named = new Set(stages.map(({ name }) => name));
  // Where a dataset lies that these stages have nothing to do with was decided by another command.
  const own = new Set(stages.flatMap(({ reads, writes }) => [writes, ...reads.map(({ dataset }) => dataset)]));
  const located = Object.entries(locations).filter(([dataset]) => own.has(dataset) || record.datasets[dataset] === undefined);
  return {
    ...record,
    options: { ...record.options, ...Object.fromEntries(Object.entries(options).filter(([stage]) => named.has(stage))) },
    inputs: { ...record.inputs, ...Object.fromEntries(Object.entries(inputs).map(([stage, input]) => [stage, withoutSecrets(relative(input))])) },
    datasets: { ...record.datasets, ...Object.fromEntries(located.map(([dataset, path]) => [dataset, relative(path)])) },
  };
}

function outcomeOf(states: readonly StageState[], activities: readonly StageActivity[]): PipelineOutcome {
  const failed = states.flatMap(({ stage }, i) => [...activities[i]!.failed].map(([shard, message]) => ({ stage: stage.name, shard, message })));
  const broken = [...new Set(failed.map(({ stage }) => stage))];
  return {
    stages: states.map((state, i) => summarise(state.stage.name, [...state.valid.values()], activities[i])),
    failed,
    waiting: states.filter((state) => !state.sealed && !broken.includes(state.stage.name)).map(({ stage }) => ({ stage: stage.name, for: broken })),
    already: activities.reduce((sum, { kept }) => sum + kept.size, 0),
    made: states.reduce((sum, { valid }, i) => sum + valid.size - [...valid.keys()].filter((name) => activities[i]!.kept.has(name)).length, 0),
  };
}

/**
 * Sums markers into the line of `summary.json`. An item that was tried again counts once, as what became of it in the end. Seconds: of this session from
 * the first shard to the last, and of earlier ones as their markers say.
 */
export function summarise(
  name: string,
  shards: readonly ShardStats[],
  { kept, firstStart, lastEnd }: Pick<StageActivity, 'kept' | 'firstStart' | 'lastEnd'> = { kept: new Set(), firstStart: undefined, lastEnd: undefined },
): StageSummary {
  const dropped: Dropped = {};
  const names = new Set(shards.map(({ shard }) => shard));
  let [taken, out, before] = [0, 0, 0];
  for (const shard of shards) {
    for (const [source, retried] of Object.entries(shard.retried ?? {})) {
      if (!names.has(source)) continue;
      taken -= totalDropped(retried);
      for (const [reason, n] of Object.entries(retried)) dropped[reason] = (dropped[reason] ?? 0) - n;
    }
    taken += shard.in;
    out += shard.out;
    if (kept.has(shard.shard)) before += shard.duration;
    for (const [reason, n] of Object.entries(shard.dropped)) dropped[reason] = (dropped[reason] ?? 0) + n;
  }
  const seconds = before + (firstStart === undefined || lastEnd === undefined ? 0 : (lastEnd - firstStart) / 1000);
  const reasons = Object.entries(dropped).filter(([, n]) => n > 0);
  return { name, in: taken, out, dropped: Object.fromEntries(reasons.sort(([a], [b]) => (a < b ? -1 : 1))), seconds };
}

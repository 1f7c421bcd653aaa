import { rmdir } from 'node:fs/promises';
import { UsageError } from '../contracts/errors.ts';
import type { StageSummary } from '../contracts/shard-stats.ts';
import type { Stage } from '../contracts/stage.ts';
import { openStorage } from '../storage/open-storage.ts';
import type { Executor } from './executor.ts';
import { assertReadable, readGivenDatasets } from './given-datasets.ts';
import { scratchRoot } from './local-home.ts';
import { forgetRecordedWork } from './recorded-work.ts';
import { readRunRecord, type RunRecord, withDecisions, withRedo, writeRunRecord } from './run-record.ts';
import type { RunSettings } from './run-settings.ts';
import { Scheduler } from './scheduler.ts';
import type { SchedulerEvents } from './scheduler-settings.ts';
import { removeJournals } from './shard-journal.ts';
import { StageState } from './stage-state.ts';
import { summarise } from './stage-summary.ts';
import type { StageActivity } from './stage-work.ts';

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
  signal: AbortSignal;
  tries?: number;
  firstPauseMs?: number;
}

export interface PipelineOutcome {
  stages: StageSummary[];
  failed: { stage: string; shard: string; message: string }[];
  /** Stages that are not whole, and the stages whose failed shards they wait for. */
  waiting: { stage: string; for: string[] }[];
}

/** An opened run: planned, and ready to go. */
export interface OpenedRun {
  /** In the order of the pipeline. */
  readonly states: readonly StageState[];
  /** What each stage is doing, in the same order. */
  readonly activities: readonly StageActivity[];
  readonly settings: RunSettings;
  run(): Promise<PipelineOutcome>;
}

/** Reads what is there and plans it. Throws UsageError for what is refused, before anything is changed. */
export async function openRun(run: PipelineRun, executor: Executor, events: SchedulerEvents): Promise<OpenedRun> {
  const { stages, environment } = run;
  const unknown = run.redo.find((name) => !stages.some((stage) => stage.name === name));
  if (unknown !== undefined) throw new UsageError(`--redo ${unknown}: this command has no such stage. It has ${stages.map(({ name }) => name).join(', ')}.`);
  const storage = await openStorage(run.settings.location, environment);
  const before = await readRunRecord(storage);
  const record = withRedo(before, run.redo);
  const settings: RunSettings = { ...run.settings, id: record.id };
  const isNewRedo = ({ name }: Stage): boolean => record.redo[name] !== before.redo[name];
  for (const stage of stages) {
    const readers = stages.filter(({ reads }) => reads.some(({ dataset }) => dataset === stage.writes)).map(({ name }) => name);
    stage.check?.(settings.options[stage.name] ?? {}, readers);
  }
  const states: StageState[] = [];
  for (const stage of stages) {
    const asked = { redo: record.redo[stage.name], isNewRedo: isNewRedo(stage), retry: stage.retries ? run.retry : [] };
    states.push(await StageState.open(stage, await openStorage(settings.locations[stage.writes]!, environment), settings, asked));
  }
  const given = await readGivenDatasets(stages, settings, environment);
  const scheduler = new Scheduler(states, executor, { ...run, run: settings, given }, events);
  await scheduler.plan();
  for (const state of states) assertReadable(state, given, settings);
  const recordRun = (redo: RunRecord['redo']): Promise<void> => writeRunRecord(storage, withDecisions({ ...record, redo }, stages, settings));
  return {
    states,
    activities: scheduler.activities,
    settings,
    run: async () => {
      for (const { stage, storage: own } of states) if (stage.records && isNewRedo(stage)) await forgetRecordedWork(own);
      await recordRun(record.redo);
      try {
        await scheduler.run();
      } finally {
        await rmdir(await scratchRoot(settings.location)).catch(() => undefined);
        for (const { sealed, stage } of states) if (sealed) await removeJournals(settings.location, stage.name);
        await recordRun(openRedos(record, states)).catch(() => undefined);
      }
      return outcomeOf(scheduler.activities);
    },
  };
}

/** A redo ends when its stage is whole. */
function openRedos({ redo }: RunRecord, states: readonly StageState[]): RunRecord['redo'] {
  return Object.fromEntries(Object.entries(redo).filter(([name]) => !states.some(({ stage, whole }) => stage.name === name && whole)));
}

function outcomeOf(activities: readonly StageActivity[]): PipelineOutcome {
  const failed = activities.flatMap(({ state, failed }) => [...failed].map(([shard, message]) => ({ stage: state.stage.name, shard, message })));
  const broken = [...new Set(failed.map(({ stage }) => stage))];
  return {
    stages: activities.map((activity) => summarise(activity.state.stage.name, [...activity.state.valid.values()], activity)),
    failed,
    waiting: activities
      .filter(({ state }) => !state.sealed && !broken.includes(state.stage.name))
      .map(({ state }) => ({ stage: state.stage.name, for: broken })),
  };
}

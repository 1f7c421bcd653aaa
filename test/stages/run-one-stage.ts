import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Reject } from '../../src/contracts/records.ts';
import type { ShardStats, StageSummary } from '../../src/contracts/shard-stats.ts';
import type { Stage } from '../../src/contracts/stage.ts';
import { readParquet } from '../../src/formats/parquet.ts';
import type { Executor } from '../../src/runtime/executor.ts';
import { InlineExecutor } from '../../src/runtime/inline-executor.ts';
import { openRun } from '../../src/runtime/open-run.ts';

export interface StageRun {
  summary: StageSummary;
  failed: { shard: string; message: string }[];
  /** Markers of all shards, by name. */
  shards: ShardStats[];
  made: string[];
  kept: string[];
  notes: string[];
}

export interface StageRunSettings {
  /** Location of the first dataset that it reads or, where the stage takes files, those. */
  input?: string | undefined;
  /** Location of the dataset that it writes instead of RUN/NAME. */
  output?: string | undefined;
  locations?: Record<string, string>;
  redo?: boolean;
  /** Reasons of --retry-failed. */
  retry?: readonly string[];
  acceptChanged?: boolean;
  skipFailed?: number;
  mayFail?: boolean;
  workers?: number;
  database?: string;
  rejects?: 'sample' | 'all';
  environment?: Record<string, string | undefined>;
  /** Called at each named point of the order of writes; may throw. */
  reached?: (point: string) => void;
  /** Instead of one for this run: it keeps its resources, and the caller closes it. */
  executor?: Executor;
  signal?: AbortSignal;
}

/** Runs one stage over a run folder, in this thread, with all rejects kept. Throws where a shard failed, and for refusals. */
export async function runOneStage(stage: Stage, runDir: string, options: Record<string, unknown> = {}, settings: StageRunSettings = {}): Promise<StageRun> {
  const locations: Record<string, string> = { [stage.writes]: settings.output ?? join(runDir, stage.writes) };
  const inputs: Record<string, string> = {};
  for (const dataset of [...stage.reads.map((each) => each.dataset), ...(stage.consults ?? [])]) locations[dataset] = join(runDir, dataset);
  if (settings.input !== undefined && stage.takes !== undefined) inputs[stage.name] = settings.input;
  else if (settings.input !== undefined) locations[stage.reads[0]!.dataset] = settings.input;
  Object.assign(locations, settings.locations);
  const parsed = stage.options.parse(options);
  for (const [option, dataset] of Object.entries(stage.locates ?? {})) if (typeof parsed[option] === 'string') locations[dataset] = parsed[option];
  const environment = settings.environment ?? {};
  const signal = settings.signal ?? new AbortController().signal;
  const executor =
    settings.executor ??
    new InlineExecutor([stage], {
      workers: settings.workers ?? 1,
      environment,
      signal,
      ...(settings.reached && { reached: settings.reached }),
      ...(settings.database !== undefined && { database: () => Promise.resolve(settings.database!) }),
    });
  const run: StageRun = { summary: { name: stage.name, in: 0, out: 0, dropped: {}, seconds: 0 }, failed: [], shards: [], made: [], kept: [], notes: [] };
  try {
    const opened = await openRun(
      {
        stages: [stage],
        settings: {
          location: runDir,
          locations,
          inputs,
          options: { [stage.name]: parsed },
          rejects: settings.rejects ?? 'all',
          acceptChanged: settings.acceptChanged ?? false,
        },
        environment,
        redo: settings.redo ? [stage.name] : [],
        retry: settings.retry ?? [],
        skipFailed: settings.skipFailed ?? 0,
        signal,
        firstPauseMs: 10,
      },
      executor,
      {
        changed: () => undefined,
        finished: (stats, already) => void (already ? run.kept : run.made).push(stats.shard),
        failed: () => undefined,
        note: (line) => void run.notes.push(line),
        reached: settings.reached ?? (() => undefined),
      },
    );
    run.notes.push(...(opened.states[0]!.plan.notes ?? []));
    const outcome = await opened.run();
    run.summary = outcome.stages[0]!;
    run.failed = outcome.failed.map(({ shard, message }) => ({ shard, message })).sort((a, b) => (a.shard < b.shard ? -1 : 1));
    run.shards = [...opened.states[0]!.valid.values()].sort((a, b) => (a.shard < b.shard ? -1 : 1));
  } finally {
    if (!settings.executor) await executor.close();
  }
  if (run.failed.length > 0 && !settings.mayFail) throw new Error(run.failed.map(({ message }) => message).join('; '));
  return run;
}

/** The rows of all Parquet files under a folder, files in order of their path. */
export async function allRows<Row>(folder: string): Promise<Row[]> {
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.parquet')).sort();
  const rows: Row[] = [];
  for (const file of files) for await (const row of readParquet<Row>(join(folder, file))) rows.push(row);
  return rows;
}

export async function rejectsOf(runDir: string, stage: string): Promise<Reject[]> {
  const folder = join(runDir, 'rejects', stage);
  return readdir(folder).then(
    () => allRows<Reject>(folder),
    () => [],
  );
}

/** sha256 of every file under a folder but the markers and seals, which hold times. */
export async function digests(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('_stats.json') && entry.name !== '_sealed.json')
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const all: Record<string, string> = {};
  for (const path of paths)
    all[path.slice(folder.length)] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  return all;
}

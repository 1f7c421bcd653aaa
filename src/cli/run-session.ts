import { availableParallelism, tmpdir } from 'node:os';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { RunError } from '../contracts/errors.ts';
import { packageVersion } from '../contracts/package-root.ts';
import type { ShardStats } from '../contracts/shard-stats.ts';
import type { Stage } from '../contracts/stage.ts';
import { type OpenDatabase, openDatabase } from '../db/open-database.ts';
import { pipeline } from '../pipeline.ts';
import { faultPoint } from '../runtime/fault-point.ts';
import { lockRun } from '../runtime/lock-run.ts';
import type { RunOptions } from '../runtime/run-options.ts';
import { scratchRoot } from '../runtime/shard-job.ts';
import { openRun, type OpenedRun, type PipelineOutcome, type PipelineRun } from '../runtime/run-pipeline.ts';
import { ThreadExecutor } from '../runtime/thread-executor.ts';
import { joinLocation } from '../storage/location.ts';
import { openStorage } from '../storage/open-storage.ts';
import type { CommandIo } from './command.ts';
import { dryRunTable } from './dry-run.ts';
import { createProgress, type Progress } from './progress.ts';
import { stageProgress } from './stage-progress.ts';
import { renderSummary } from './table.ts';

/** What a command wants run. */
export interface Session {
  stages: readonly Stage[];
  /** Options by stage name. */
  options: Readonly<Record<string, Record<string, unknown>>>;
  /** The run's folder or s3:// prefix. */
  location: string;
  /** Datasets that lie elsewhere than in the run. */
  elsewhere?: Readonly<Record<string, string>>;
  /** Datasets that are left aside although they may be there: a stage reads another instead. */
  unread?: readonly string[];
  /** `--input` of stages that take files from outside. */
  inputs?: Readonly<Record<string, string>>;
  /** Write `summary.json`: for a run, not for a single stage. */
  summary: boolean;
  run: RunOptions;
}

/** Holds the lock of a run while `task` works on it. Nothing is written there before the lock is held. */
export async function withLockedRun<T>(location: string, io: CommandIo, task: () => Promise<T>): Promise<T> {
  const lock = await lockRun(await openStorage(location, io.environment));
  try {
    return await Promise.race([task(), lock.lost]);
  } finally {
    await lock.release().catch(() => undefined);
  }
}

/**
 * Runs stages with all that surrounds them: PostgreSQL where a shard asks for it, worker threads, progress, the table at the end.
 * The caller holds the run's lock. Returns the exit code: 1 where a shard failed.
 */
export async function runSession(session: Session, io: CommandIo): Promise<0 | 1> {
  const { stages, run } = session;
  const progress = createProgress(io, run.quiet);
  const database = lazyDatabase(session, io);
  const killAt = io.environment['PAIRMILL_KILL_AT'];
  const executor = new ThreadExecutor(
    run.workers ?? availableParallelism(),
    { pipelineUrl: new URL(`../pipeline${extname(import.meta.filename)}`, import.meta.url).href, environment: workerEnvironment(io.environment), killAt },
    async () => (await database.open()).url,
  );
  let opened: OpenedRun | undefined;
  try {
    opened = await openRun(pipelineRun(session, io), executor, {
      changed: (state, activity) => progress.update(stageProgress(state, activity, opened?.states ?? [])),
      finished: (stats) => warn(stats, progress),
      failed: (stage, shard, message, again) => progress.note(again ? `${stage} ${shard} is tried again: ${message}` : `failed: ${message}`),
      note: (line) => progress.note(line),
      reached: faultPoint(killAt),
    });
    if (!run.quiet) for (const line of stages.flatMap((stage) => announced(stage, session))) progress.note(line);
    for (const [i, state] of opened.states.entries()) progress.update(stageProgress(state, opened.scheduler.activities[i]!, opened.states));
    // What a killed run left there is of no use.
    await rm(scratchRoot(session.location), { recursive: true, force: true });
    const outcome = await untilStopped(opened.run(), executor, database, io.signal);
    progress.stop();
    await report(outcome, session, io);
    return outcome.failed.length > 0 ? 1 : 0;
  } finally {
    progress.stop();
    await executor.close();
    await database.close();
  }
}

/** Prints what a run would do: shards planned, finished and to be made, and why. Changes nothing. */
export async function dryRun(session: Session, io: CommandIo): Promise<0> {
  io.out(`${[await dryRunTable(pipelineRun(session, io)), ...session.stages.flatMap((stage) => announced(stage, session))].join('\n')}\n`);
  return 0;
}

function pipelineRun({ stages, options, location, elsewhere, unread, inputs, run }: Session, io: CommandIo): PipelineRun {
  const locations: Record<string, string> = {};
  for (const { writes, reads } of pipeline) for (const name of [writes, ...reads.map(({ dataset }) => dataset)]) locations[name] = joinLocation(location, name);
  Object.assign(locations, elsewhere);
  for (const name of unread ?? []) delete locations[name];
  for (const stage of stages)
    for (const [option, dataset] of Object.entries(stage.locates ?? {})) {
      const given = options[stage.name]?.[option];
      if (typeof given === 'string') locations[dataset] = given;
    }
  return {
    stages,
    settings: { location, locations, inputs: inputs ?? {}, options, rejects: run.rejects, acceptChanged: run.acceptChanged },
    environment: io.environment,
    redo: run.redo,
    skipFailed: shareOf(run.skipFailed),
    keep: run.keep,
    version: packageVersion(),
    signal: io.signal,
  };
}

function shareOf(text: string): number {
  return Number(text.replace('%', '')) / 100;
}

/** What workers need of the environment: where models and buckets are found. Plain strings, so that it can go to a thread. */
function workerEnvironment(environment: CommandIo['environment']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined));
}

interface LazyDatabase {
  open(): Promise<OpenDatabase>;
  /** Resolves with words when the run's own server ended although nobody stopped it. */
  lost: Promise<string>;
  close(): Promise<void>;
}

/** The database is started when the first shard asks for it: a run that only reads shards needs none. */
function lazyDatabase({ run, location }: Session, io: CommandIo): LazyDatabase {
  let opened: Promise<OpenDatabase> | undefined;
  let lose: (words: string) => void = () => undefined;
  const lost = new Promise<string>((resolve) => (lose = resolve));
  // An embedded server needs a local folder; it holds nothing that can't be rebuilt.
  const folder = /^[a-z0-9]+:\/\//i.test(location) ? join(tmpdir(), `pairmill-${createHash('sha256').update(location).digest('hex').slice(0, 16)}`) : location;
  return {
    lost,
    open: () =>
      (opened ??= openDatabase(run.db === 'embedded' ? undefined : run.db, folder, io.signal).then((database) => {
        void database.ended.then((words) => lose(words));
        return database;
      })),
    close: async () => {
      const database = await opened?.catch(() => undefined);
      await database?.close();
    },
  };
}

/** The run's end, or what ends it from outside: a signal, or its PostgreSQL that is gone. Threads get their time to come to an end. */
async function untilStopped(work: Promise<PipelineOutcome>, executor: ThreadExecutor, { lost }: LazyDatabase, signal: AbortSignal): Promise<PipelineOutcome> {
  const stopped = new Promise<Error>((resolve) => {
    const stop = (): void => resolve(new RunError('Stopped. The same command goes on from here.'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  const broken = lost.then((words) => new RunError(words));
  const first = await Promise.race([work, stopped, broken]);
  if (!(first instanceof Error)) return first;
  work.catch(() => undefined);
  await executor.close();
  throw first;
}

function warn(stats: ShardStats, progress: Progress): void {
  for (const warning of stats.warnings ?? []) progress.note(`warning: ${stats.stage} ${stats.shard}: ${warning}`);
}

/** What a stage says before its first shard, a line each. */
function announced(stage: Stage, { options }: Session): string[] {
  return (stage.announce?.(options[stage.name] ?? {}) ?? []).map((line) => `${stage.name}: ${line}`);
}

async function report(outcome: PipelineOutcome, session: Session, io: CommandIo): Promise<void> {
  if (session.summary) {
    const storage = await openStorage(session.location, io.environment);
    await storage.writeText('summary.json', `${JSON.stringify({ version: packageVersion(), stages: outcome.stages }, null, 2)}\n`);
  }
  const notes = session.stages.flatMap((stage) => announced(stage, session));
  if (session.run.json) io.out(`${JSON.stringify({ stages: outcome.stages, failed: outcome.failed, waiting: outcome.waiting, notes })}\n`);
  else io.out(`\n${renderSummary(outcome.stages)}\n`);
  if (outcome.already > 0) io.err(`${outcome.already} ${outcome.already === 1 ? 'shard was' : 'shards were'} finished before; ${outcome.made} made now.\n`);
  for (const { message } of outcome.failed) io.err(`failed: ${message}\n`);
  for (const { stage, for: others } of outcome.waiting) if (others.length > 0) io.err(`${stage} is not whole: it waits for ${others.join(', ')}.\n`);
  if (outcome.failed.length > 0)
    io.err(
      `${outcome.failed.length} ${outcome.failed.length === 1 ? 'shard' : 'shards'} failed. The same command tries again; --skip-failed goes on without.\n`,
    );
}

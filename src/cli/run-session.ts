import { availableParallelism } from 'node:os';
import { rm } from 'node:fs/promises';
import { extname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RunError } from '../contracts/errors.ts';
import { faultPoint } from '../runtime/fault-point.ts';
import { scratchRoot } from '../runtime/local-home.ts';
import { openRun, type OpenedRun, type PipelineOutcome } from '../runtime/open-run.ts';
import { ThreadExecutor } from '../runtime/thread-executor.ts';
import { announcements, planNotes } from './announcements.ts';
import type { CommandIo } from './command.ts';
import { type LazyDatabase, lazyDatabase } from './lazy-database.ts';
import { createProgress } from './progress.ts';
import { reportRun } from './report-run.ts';
import { pipelineRun, type Session } from './session.ts';
import { stageProgress } from './stage-progress.ts';
import { StageWatch } from './stage-watch.ts';

/** A thread that ends its work still has its database. */
const MAX_THREADS_FIRST_MS = 1_000;

/**
 * Runs stages with all that surrounds them: PostgreSQL where a shard asks for it, worker threads, progress, the table at the end.
 * The caller holds the run's lock. Returns the exit code: 1 where a shard failed.
 */
export async function runSession(session: Session, io: CommandIo): Promise<0 | 1> {
  const { stages, run } = session;
  const progress = createProgress(io, run.quiet);
  const watch = new StageWatch(stages, session.options, (line) => progress.note(line));
  const broken = new AbortController();
  const stop = AbortSignal.any([io.signal, broken.signal]);
  const database = lazyDatabase(session, io, (words) => broken.abort(new RunError(words)));
  const executor = new ThreadExecutor(
    run.workers ?? availableParallelism(),
    { pipelineUrl: new URL(`../pipeline${extname(import.meta.filename)}`, import.meta.url).href, environment: workerEnvironment(io.environment) },
    async () => (await database.open()).url,
  );
  let opened: OpenedRun | undefined;
  try {
    opened = await openRun({ ...pipelineRun(session, io), signal: stop }, executor, {
      changed: (activity) => progress.update(stageProgress(activity, opened?.states ?? [])),
      finished: (stats, already) => {
        if (!already) watch.finished(stats);
      },
      sealed: (state) => watch.sealed(state),
      failed: (stage, shard, message, again) => progress.note(again ? `${stage} ${shard} is tried again: ${message}` : `failed: ${message}`),
      note: (line) => progress.note(line),
      reached: faultPoint(io.environment),
    });
    if (!run.quiet) for (const line of [...announcements(session), ...planNotes(opened)]) progress.note(line);
    for (const activity of opened.activities) progress.update(stageProgress(activity, opened.states));
    // What a killed run left there is of no use.
    await rm(await scratchRoot(session.location), { recursive: true, force: true });
    const outcome = await untilStopped(opened.run(), executor, database, stop);
    progress.stop();
    await reportRun(opened, outcome, session, io);
    return outcome.failed.length > 0 ? 1 : 0;
  } finally {
    progress.stop();
    await executor.close();
    await database.close();
  }
}

/** What workers need of the environment: where models and buckets are found. Plain strings, so that it can go to a thread. */
function workerEnvironment(environment: CommandIo['environment']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined));
}

/** The run's end, or what ends it from outside (the reason of `stop`). Threads get their time to come to an end. */
async function untilStopped(work: Promise<PipelineOutcome>, executor: ThreadExecutor, database: LazyDatabase, stop: AbortSignal): Promise<PipelineOutcome> {
  const stopped = new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener('abort', () => resolve(), { once: true });
  });
  const outcome = await Promise.race([work, stopped]);
  if (outcome) return outcome;
  // A stopped run has 5 s for all: the server does not wait for a thread that takes long.
  const threads = executor.close();
  await Promise.race([threads, sleep(MAX_THREADS_FIRST_MS)]);
  await Promise.all([threads, database.close(), work.catch(() => undefined)]);
  throw stop.reason instanceof RunError ? stop.reason : new RunError('Stopped. The same command goes on from here.');
}

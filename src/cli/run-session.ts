import { availableParallelism } from 'node:os';
import { extname, join } from 'node:path';
import type { StageName } from '../contracts/drop-reason.ts';
import { RunError } from '../contracts/errors.ts';
import { packageVersion } from '../contracts/package-root.ts';
import type { Stage, StageFolders } from '../contracts/stage.ts';
import { openDatabase } from '../db/open-database.ts';
import { awsVariables } from '../net/aws-settings.ts';
import { pipeline } from '../pipeline.ts';
import { faultPoint } from '../runtime/fault-point.ts';
import { lockRunFolder } from '../runtime/run-lock.ts';
import type { RunOptions } from '../runtime/run-options.ts';
import { type PipelineOutcome, runPipeline, stageFolders } from '../runtime/run-pipeline.ts';
import { ThreadExecutor } from '../runtime/thread-executor.ts';
import type { CommandIo } from './command.ts';
import { renderDryRun } from './dry-run.ts';
import { createProgress, formatRate, formatSeconds } from './progress.ts';
import { renderSummary } from './table.ts';

/** What a command wants run. */
export interface Session {
  stages: readonly Stage[];
  /** Options by stage name. */
  options: Readonly<Record<string, Record<string, unknown>>>;
  runDir: string;
  /** What is read and written elsewhere than in the run folder, by stage. */
  elsewhere?: Readonly<Partial<Record<StageName, Partial<Pick<StageFolders, 'input' | 'output'>>>>>;
  /** Write `summary.json`: for a run, not for a single stage. */
  summary: boolean;
  run: RunOptions;
}

/**
 * Runs stages with all that surrounds them: the lock on the run folder, PostgreSQL where a stage needs it, worker
 * threads, progress, the table at the end. Returns the exit code: 1 where a shard failed.
 */
export async function runSession(session: Session, io: CommandIo): Promise<0 | 1> {
  const { stages, run } = session;
  const aws = awsVariables(io.environment);
  const folders = (stage: Stage): StageFolders => ({ ...stageFolders(pipeline, session.runDir, stage), ...session.elsewhere?.[stage.name], aws });
  if (run.dryRun) {
    const table = await renderDryRun(stages, (stage) => session.options[stage.name] ?? {}, folders);
    io.out(`${[table, ...stages.flatMap((stage) => announced(stage, session))].join('\n')}\n`);
    return 0;
  }
  const killAt = io.environment['PAIRMILL_KILL_AT'];
  const reached = faultPoint(killAt);
  const progress = createProgress(io, run.quiet);
  const unlock = await lockRunFolder(session.runDir);
  const wantsDatabase = stages.some(({ name, usesDatabase }) => usesDatabase === 'always' || (usesDatabase && session.elsewhere?.[name]?.input === undefined));
  const database = wantsDatabase ? await openDatabase(run.db === 'embedded' ? undefined : run.db, session.runDir) : undefined;
  const executor = new ThreadExecutor(run.workers ?? availableParallelism(), {
    pipelineUrl: new URL(`../pipeline${extname(import.meta.filename)}`, import.meta.url).href,
    killAt,
  });
  try {
    const work = runPipeline(
      {
        stages,
        options: session.options,
        folders: (stage) => ({ ...folders(stage), database: database?.url }),
        summaryPath: session.summary ? join(session.runDir, 'summary.json') : undefined,
        rejects: run.rejects,
        redo: run.redo,
        acceptChanged: run.acceptChanged,
        version: packageVersion(),
      },
      executor,
      {
        started: (stage, expected) => {
          if (!run.quiet) for (const line of announced(stage, session)) progress.note(line);
          progress.start(stage.name, stage.unit, expected);
        },
        stage: {
          progress: (counts) => progress.add(counts),
          finished: (stats, already) => {
            if (already) progress.add({ in: stats.in });
            for (const warning of stats.warnings ?? []) progress.note(`warning: ${stats.stage} ${stats.shard}: ${warning}`);
          },
          failed: (_shard, message) => progress.note(`failed: ${message}`),
          reached,
        },
        ended: (stage, { in: came, out, seconds }) =>
          progress.stop(`${stage.name}: ${came} ${stage.unit} in, ${out} out, ${formatSeconds(seconds)}, ${formatRate(came / seconds)}/s`),
      },
    );
    const outcome = await Promise.race([work, aborted(io.signal)]);
    report(outcome, session, io);
    return outcome.failed.length > 0 ? 1 : 0;
  } finally {
    // A stopped run does not wait for its shards: they have no marker and are made again.
    if (!io.signal.aborted) await executor.close();
    await database?.close();
    await unlock();
  }
}

/** What a stage says before its first shard, a line each. */
function announced(stage: Stage, { options }: Session): string[] {
  return (stage.announce?.(options[stage.name] ?? {}) ?? []).map((line) => `${stage.name}: ${line}`);
}

function report(outcome: PipelineOutcome, session: Session, io: CommandIo): void {
  const notes = session.stages.flatMap((stage) => announced(stage, session));
  if (session.run.json) io.out(`${JSON.stringify({ stages: outcome.stages, failed: outcome.failed, notes })}\n`);
  else io.out(`\n${renderSummary(outcome.stages)}\n`);
  for (const { message } of outcome.failed) io.err(`failed: ${message}\n`);
  if (outcome.failed.length > 0) io.err(`${outcome.failed.length} shards failed. The same command tries them again.\n`);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = (): void => reject(new RunError('Stopped. The same command goes on from here.'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

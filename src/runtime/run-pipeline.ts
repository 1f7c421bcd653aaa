import { join } from 'node:path';
import type { StageName } from '../contracts/drop-reason.ts';
import type { StageSummary } from '../contracts/shard-stats.ts';
import type { Stage, StageFolders } from '../contracts/stage.ts';
import type { Executor } from './executor.ts';
import { replaceFile } from './publication.ts';
import { runStage, type StageEvents, type StageRunOptions } from './run-stage.ts';

/** One run: which stages, with which options, in which folder. */
export interface PipelineRun {
  stages: readonly Stage[];
  options: Readonly<Record<string, Record<string, unknown>>>;
  runDir: string;
  /** What the first stage reads: files, globs, URLs. */
  input: string;
  database?: string | undefined;
  rejects: 'sample' | 'all';
  redo: readonly string[];
  acceptChanged: boolean;
  version: string;
}

export interface PipelineEvents {
  /** A stage begins; `expected` items come in, where that is known. */
  started(stage: Stage, expected: number | undefined): void;
  stage: StageEvents;
  ended(stage: Stage, summary: StageSummary): void;
}

export interface PipelineOutcome {
  stages: StageSummary[];
  failed: { stage: string; shard: string; message: string }[];
}

/**
 * Runs the stages in order and writes `summary.json` after each. A failed shard lets its stage end and then stops the
 * run: what comes after would be made of less than it should.
 */
export async function runPipeline(run: PipelineRun, executor: Executor, events: PipelineEvents): Promise<PipelineOutcome> {
  const summaries: StageSummary[] = [];
  const failed: PipelineOutcome['failed'] = [];
  for (const stage of run.stages) {
    events.started(stage, summaries.at(-1)?.out);
    const folders = stageFolders(run, stage);
    const settings: StageRunOptions = { redo: run.redo.includes(stage.name), acceptChanged: run.acceptChanged, rejects: run.rejects };
    const outcome = await runStage(stage, { options: run.options[stage.name] ?? {}, folders }, executor, settings, events.stage);
    summaries.push(outcome.summary);
    events.ended(stage, outcome.summary);
    await replaceFile(join(run.runDir, 'summary.json'), `${JSON.stringify({ version: run.version, stages: summaries }, null, 2)}\n`);
    failed.push(...outcome.failed.map((failure) => ({ stage: stage.name, ...failure })));
    if (failed.length > 0) break;
  }
  return { stages: summaries, failed };
}

/** The folders of one stage within a run. */
export function stageFolders(run: Pick<PipelineRun, 'stages' | 'runDir' | 'input' | 'database'>, stage: Stage): StageFolders {
  const stages: Partial<Record<StageName, string>> = {};
  for (const { name, writes } of run.stages) stages[name] = join(run.runDir, writes);
  return {
    input: stage === run.stages[0] ? run.input : join(run.runDir, stage.reads),
    output: join(run.runDir, stage.writes),
    rejects: join(run.runDir, 'rejects'),
    stages,
    database: run.database,
  };
}

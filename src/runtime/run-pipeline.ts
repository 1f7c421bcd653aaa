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
  folders(stage: Stage): StageFolders;
  /** Where the summary is written after each stage; nowhere if absent. */
  summaryPath?: string | undefined;
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
 * Runs the stages in order and writes `summary.json` after each. A failed shard costs itself and the run goes on
 * without it, except where nothing is left or the stage is ordered: its later shards would be decided without it.
 */
export async function runPipeline(run: PipelineRun, executor: Executor, events: PipelineEvents): Promise<PipelineOutcome> {
  const summaries: StageSummary[] = [];
  const failed: PipelineOutcome['failed'] = [];
  for (const stage of run.stages) {
    events.started(stage, summaries.at(-1)?.out);
    const settings: StageRunOptions = { redo: run.redo.includes(stage.name), acceptChanged: run.acceptChanged, rejects: run.rejects };
    const outcome = await runStage(stage, { options: run.options[stage.name] ?? {}, folders: run.folders(stage) }, executor, settings, events.stage);
    summaries.push(outcome.summary);
    events.ended(stage, outcome.summary);
    if (run.summaryPath) await replaceFile(run.summaryPath, `${JSON.stringify({ version: run.version, stages: summaries }, null, 2)}\n`);
    failed.push(...outcome.failed.map((failure) => ({ stage: stage.name, ...failure })));
    if (outcome.failed.length > 0 && (stage.ordered || outcome.summary.out === 0)) break;
  }
  return { stages: summaries, failed };
}

/** The folders of a stage within a run. `pipeline` is all stages, whether they run now or not. */
export function stageFolders(pipeline: readonly Stage[], runDir: string, stage: Stage): Omit<StageFolders, 'database' | 'aws'> {
  const stages: Partial<Record<StageName, string>> = {};
  for (const { name, writes } of pipeline) stages[name] = join(runDir, writes);
  return { input: join(runDir, stage.reads), output: join(runDir, stage.writes), rejects: join(runDir, 'rejects'), stages };
}

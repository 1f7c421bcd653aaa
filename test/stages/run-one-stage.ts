import { join } from 'node:path';
import type { ShardStats } from '../../src/contracts/shard-stats.ts';
import type { Stage } from '../../src/contracts/stage.ts';
import { InlineExecutor } from '../../src/runtime/inline-executor.ts';
import { runStage, type StageOutcome } from '../../src/runtime/run-stage.ts';

/** Runs one stage over a run folder, in this thread, with all rejects kept. Throws where a shard failed. */
export async function runOneStage(
  stage: Stage,
  run: string,
  options: Record<string, unknown> = {},
  settings: { redo?: boolean; mayFail?: boolean } = {},
): Promise<StageOutcome & { shards: ShardStats[] }> {
  const context = {
    options: stage.options.parse(options),
    folders: { input: join(run, stage.reads), output: join(run, stage.writes), rejects: join(run, 'rejects'), stages: {} },
  };
  const shards: ShardStats[] = [];
  const outcome = await runStage(
    stage,
    context,
    new InlineExecutor([stage]),
    { redo: settings.redo ?? false, acceptChanged: false, rejects: 'all' },
    {
      progress: () => undefined,
      finished: (stats) => shards.push(stats),
      failed: () => undefined,
      reached: () => undefined,
    },
  );
  if (outcome.failed.length > 0 && !settings.mayFail) throw new Error(outcome.failed.map(({ message }) => message).join('; '));
  return { ...outcome, shards };
}

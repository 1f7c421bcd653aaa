import type { ShardStats } from '../contracts/shard-stats.ts';
import type { Stage } from '../contracts/stage.ts';
import type { Executor } from './executor.ts';
import { type JobEvents, runShardJob, type ShardJob } from './shard-job.ts';

/** Runs shards in this thread: for tests, and for stages that are a single shard. */
export class InlineExecutor implements Executor {
  readonly workers: number;
  readonly #stages: readonly Stage[];
  readonly #reached: (point: string) => void;

  constructor(stages: readonly Stage[], workers = 1, reached: (point: string) => void = () => undefined) {
    this.#stages = stages;
    this.workers = workers;
    this.#reached = reached;
  }

  run(job: ShardJob, { progress }: Pick<JobEvents, 'progress'>): Promise<ShardStats> {
    const stage = this.#stages.find(({ name }) => name === job.stage)!;
    return runShardJob(stage, job, { signal: new AbortController().signal, progress, reached: this.#reached });
  }

  async close(): Promise<void> {
    for (const stage of this.#stages) await stage.close?.();
  }
}

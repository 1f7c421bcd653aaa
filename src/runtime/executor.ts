import type { ShardStats } from '../contracts/shard-stats.ts';
import type { JobEvents, ShardJob } from './shard-job.ts';

/**
 * The port through which shards are run. `thread-executor` runs them in worker threads of this process; an executor
 * over a task queue runs them on many machines. A stage does not know which.
 */
export interface Executor {
  /** Shards that may run at a time. */
  readonly workers: number;
  /** Runs one shard to its marker. Rejects with ShardError or RunError. */
  run(job: ShardJob, events: Pick<JobEvents, 'progress'>): Promise<ShardStats>;
  close(): Promise<void>;
}

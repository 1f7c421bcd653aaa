import type { ItemCounts, JobResult, ShardJob } from './shard-job.ts';

/** How a job is to be run. */
export interface Submission {
  threads: 'cpu' | 'io';
  /** Jobs of one lane go to the same thread as long as it lives: it has their bloom filter in memory. */
  lane?: string | undefined;
  progress(counts: ItemCounts): void;
}

/**
 * The port through which jobs are run. `thread-executor` runs them in worker threads of this process; an executor
 * over a task queue runs them on many machines. A stage does not know which.
 */
export interface Executor {
  /** Jobs of each kind that may run at a time. */
  readonly slots: Readonly<Record<'cpu' | 'io', number>>;
  /** Runs one job to its end. Rejects with ShardError, RunError or UsageError. */
  submit(job: ShardJob, submission: Submission): Promise<JobResult>;
  /** Ends its threads; what runs is aborted. */
  close(): Promise<void>;
}

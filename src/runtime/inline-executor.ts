import type { Stage } from '../contracts/stage.ts';
import type { Executor, Submission } from './executor.ts';
import { ResourcePool } from './resource-pool.ts';
import { runShardJob } from './run-shard-job.ts';
import { SharedThreads } from './shared-threads.ts';
import type { JobHost, JobResult, ShardJob } from './shard-job.ts';

export interface InlineSettings extends Partial<Pick<JobHost, 'signal' | 'environment' | 'database' | 'reached'>> {
  workers?: number;
}

/** Runs jobs in this thread: for tests, and for `pairmill task`. */
export class InlineExecutor implements Executor {
  readonly slots: Readonly<Record<'cpu' | 'io', number>>;
  readonly #stages: readonly Stage[];
  readonly #settings: InlineSettings;
  readonly #threads = new SharedThreads();
  readonly #resources = new ResourcePool((module, number) => Promise.resolve(this.#threads.connect(module, number)));

  constructor(stages: readonly Stage[], settings: InlineSettings = {}) {
    this.#stages = stages;
    this.#settings = settings;
    this.slots = { cpu: settings.workers ?? 1, io: settings.workers ?? 1 };
  }

  submit(job: ShardJob, { progress }: Submission): Promise<JobResult> {
    return runShardJob(this.#stages, job, {
      signal: this.#settings.signal ?? new AbortController().signal,
      resources: this.#resources,
      environment: this.#settings.environment ?? {},
      database: this.#settings.database ?? (() => Promise.reject(new Error('this executor has no database'))),
      reached: this.#settings.reached ?? (() => undefined),
      progress,
    });
  }

  async close(): Promise<void> {
    await this.#resources.close();
    await this.#threads.close();
  }
}

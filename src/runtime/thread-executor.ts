import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { RunError, ShardError } from '../contracts/errors.ts';
import type { ShardStats } from '../contracts/shard-stats.ts';
import type { Executor } from './executor.ts';
import type { JobEvents, ShardJob } from './shard-job.ts';

/** What a worker thread is started with. */
export interface WorkerSettings {
  /** URL of the module that exports `pipeline`: runtime does not import stages. */
  pipelineUrl: string;
  killAt?: string | undefined;
}

/** Messages between the executor and its threads. */
export type ToWorker = { job: ShardJob } | { stop: true };
export type FromWorker =
  | { progress: { in?: number; out?: number; dropped?: number } }
  | { done: ShardStats }
  | { failed: { kind: 'shard' | 'run'; message: string; stack?: string | undefined } };

interface Slot {
  worker: Worker;
  running?: { job: ShardJob; progress: JobEvents['progress']; resolve: (stats: ShardStats) => void; reject: (error: Error) => void } | undefined;
}

/** Memory of a thread for objects that have just been made. */
const YOUNG_GENERATION_MB = 24;

/** Runs shards in `workers` threads of this process, each loading the pipeline once. */
export class ThreadExecutor implements Executor {
  readonly workers: number;
  readonly #settings: WorkerSettings;
  readonly #idle: Slot[] = [];
  readonly #all = new Set<Slot>();
  readonly #waiting: (() => void)[] = [];

  constructor(workers: number, settings: WorkerSettings) {
    this.workers = workers;
    this.#settings = settings;
    // With a worker on every core, V8's helpers only take turns with the workers. V8 reads this flag anew at each collection.
    if (workers > 1 && workers >= availableParallelism()) setFlagsFromString('--no-parallel-scavenge');
  }

  async run(job: ShardJob, { progress }: Pick<JobEvents, 'progress'>): Promise<ShardStats> {
    while (this.#idle.length === 0 && this.#all.size >= this.workers) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const slot = this.#idle.pop() ?? this.#start();
    return new Promise<ShardStats>((resolve, reject) => {
      slot.running = { job, progress, resolve, reject };
      slot.worker.postMessage({ job } satisfies ToWorker);
    });
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.#all].map(async ({ worker }) => {
        worker.postMessage({ stop: true } satisfies ToWorker);
        await new Promise<void>((resolve) => worker.once('exit', () => resolve()));
      }),
    );
  }

  #start(): Slot {
    // In the published package both files are .js.
    const worker = new Worker(new URL(`./worker${extname(import.meta.filename)}`, import.meta.url), {
      workerData: this.#settings,
      // Half of Node's default: rows that wait for their row group to fill outlive it either way, and it costs no time.
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    const slot: Slot = { worker };
    this.#all.add(slot);
    worker.on('message', (message: FromWorker) => this.#receive(slot, message));
    // A crash (out of memory, a native fault that Node survives) costs the shard that ran, not the run.
    worker.on('error', (error: Error) =>
      slot.running?.reject(
        new ShardError(`${slot.running.job.stage} ${slot.running.job.shard.name}: its worker thread ended: ${error.message}`, { cause: error }),
      ),
    );
    worker.on('exit', () => {
      this.#all.delete(slot);
      slot.running?.reject(new ShardError(`${slot.running.job.stage} ${slot.running.job.shard.name}: its worker thread ended`));
      this.#waiting.shift()?.();
    });
    return slot;
  }

  #receive(slot: Slot, message: FromWorker): void {
    const { running } = slot;
    if (!running) return;
    if ('progress' in message) {
      running.progress(message.progress);
      return;
    }
    slot.running = undefined;
    this.#idle.push(slot);
    if ('done' in message) running.resolve(message.done);
    else {
      const error = message.failed.kind === 'run' ? new RunError(message.failed.message) : new ShardError(message.failed.message);
      if (message.failed.stack) error.stack = message.failed.stack;
      running.reject(error);
    }
    this.#waiting.shift()?.();
  }
}

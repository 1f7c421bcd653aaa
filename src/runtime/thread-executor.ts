import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { type MessagePort, Worker } from 'node:worker_threads';
import { messageOf, RunError, ShardError } from '../contracts/errors.ts';
import type { Executor, Submission } from './executor.ts';
import { errorOf, type JobFailure } from './job-failure.ts';
import type { ItemCounts, JobResult, ShardJob } from './shard-job.ts';
import { SharedThreads } from './shared-threads.ts';

/** What a worker thread is started with. */
export interface WorkerSettings {
  /** URL of the module that exports `pipeline`: runtime does not import stages. */
  pipelineUrl: string;
  environment: Readonly<Record<string, string | undefined>>;
}

/** Messages between the executor and its threads. */
export type ToWorker = { job: ShardJob } | { database: string } | { noDatabase: string } | { id: number; port: MessagePort } | { stop: true };
export type FromWorker =
  | { progress: ItemCounts }
  | { ask: 'database' }
  | { id: number; thread: string; number: number }
  | { done: JobResult }
  | { failed: JobFailure };

interface Slot {
  worker: Worker;
  threads: 'cpu' | 'io';
  /** Lanes whose jobs it has run: it may hold what their next one needs. */
  readonly lanes: Set<string>;
  running?: { job: ShardJob; submission: Submission; resolve: (result: JobResult) => void; reject: (error: Error) => void } | undefined;
}

/** Memory of a thread for objects that have just been made. */
const YOUNG_GENERATION_MB = 24;
/**
 * Old objects that a thread may have before V8 looks for those that can go. It begins with a few MB and marks the whole heap at each step up to
 * the 15 to 40 MB that a thread comes to hold: 66 times in an example run of 2,000 pictures, and 29 times with this. The processor time of whole
 * runs differed by less than it varies (0.98, 0.88 and 1.08 of that without).
 */
const FIRST_OLD_GENERATION_MB = 64;
/** A stopped thread that is in the middle of native work is given this long to come out of it: after a signal the whole process has 5 s. */
const STOP_MS = 3_000;

const STOPPED = 'Stopped. The same command goes on from here.';

/** Runs jobs in worker threads of this process, each loading the pipeline once: up to `workers` for each kind. */
export class ThreadExecutor implements Executor {
  readonly slots: Readonly<Record<'cpu' | 'io', number>>;
  readonly #settings: WorkerSettings;
  readonly #database: () => Promise<string>;
  readonly #slots = new Set<Slot>();
  readonly #threads = new SharedThreads();
  #closed: Promise<void> | undefined;

  constructor(workers: number, settings: WorkerSettings, database: () => Promise<string>) {
    this.slots = { cpu: workers, io: workers };
    this.#settings = settings;
    this.#database = database;
    // With a worker on every core, V8's helpers only take turns with the workers. V8 reads this flag anew at each collection.
    if (workers > 1 && workers >= availableParallelism()) setFlagsFromString('--no-parallel-scavenge');
    // For the threads that are started from now on.
    setFlagsFromString(`--initial-old-space-size=${FIRST_OLD_GENERATION_MB}`);
  }

  /** The caller submits no more jobs of a kind at a time than there are slots. */
  async submit(job: ShardJob, submission: Submission): Promise<JobResult> {
    if (this.#closed) throw new RunError(STOPPED);
    const idle = [...this.#slots].filter(({ running, threads }) => !running && threads === submission.threads);
    const known = submission.lane === undefined ? undefined : idle.find(({ lanes }) => lanes.has(submission.lane!));
    const full = [...this.#slots].filter(({ threads }) => threads === submission.threads).length >= this.slots[submission.threads];
    const slot = known ?? (idle.length > 0 && (full || submission.lane === undefined) ? idle[0]! : this.#start(submission.threads));
    if (submission.lane !== undefined) slot.lanes.add(submission.lane);
    return new Promise((resolve, reject) => {
      slot.running = { job, submission, resolve, reject };
      slot.worker.postMessage({ job } satisfies ToWorker);
    });
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#endThreads());
  }

  async #endThreads(): Promise<void> {
    await Promise.all(
      [...this.#slots].map(async (slot) => {
        const ended = new Promise<void>((resolve) => slot.worker.once('exit', () => resolve()));
        slot.worker.postMessage({ stop: true } satisfies ToWorker);
        let timer;
        await Promise.race([ended, new Promise<void>((resolve) => (timer = setTimeout(resolve, STOP_MS)))]);
        clearTimeout(timer);
        // Whoever waits for the job of a thread that is still busy waits no longer.
        slot.running?.reject(new RunError(STOPPED));
        slot.running = undefined;
      }),
    );
    await this.#threads.close();
  }

  #start(threads: 'cpu' | 'io'): Slot {
    // In the published package both files are .js.
    const worker = new Worker(new URL(`./worker${extname(import.meta.filename)}`, import.meta.url), {
      workerData: this.#settings,
      // Half of Node's default: rows that wait for their row group to fill outlive it either way, and it costs no time.
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    const slot: Slot = { worker, threads, lanes: new Set() };
    this.#slots.add(slot);
    worker.on('message', (message: FromWorker) => void this.#receive(slot, message));
    // A crash (out of memory, a native fault that Node survives) costs the shard that ran, not the run; of an idle thread, nothing.
    let cause: Error | undefined;
    worker.on('error', (error: Error) => (cause = error));
    worker.on('exit', () => {
      this.#slots.delete(slot);
      const { running } = slot;
      slot.running = undefined;
      const reason = cause ? `: ${cause.message}` : '';
      running?.reject(new ShardError(`${running.job.stage} ${running.job.shard?.name ?? 'seal'}: its worker thread ended${reason}`, { cause, heals: true }));
    });
    return slot;
  }

  async #receive(slot: Slot, message: FromWorker): Promise<void> {
    const { running } = slot;
    if ('ask' in message) {
      const answer: ToWorker = await this.#database().then(
        (database) => ({ database }),
        (error: unknown) => ({ noDatabase: messageOf(error) }),
      );
      slot.worker.postMessage(answer);
      return;
    }
    if ('thread' in message) {
      const port = this.#threads.connect(message.thread, message.number);
      slot.worker.postMessage({ id: message.id, port } satisfies ToWorker, [port]);
      return;
    }
    if (!running) return;
    if ('progress' in message) {
      running.submission.progress(message.progress);
      return;
    }
    slot.running = undefined;
    if ('done' in message) running.resolve(message.done);
    else running.reject(errorOf(message.failed));
  }
}

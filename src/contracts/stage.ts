import type { MessagePort } from 'node:worker_threads';
import type { z } from 'zod';
import type { Dataset, DatasetInput, DatasetState, SealRecord } from './dataset.ts';
import type { DropReason } from './drop-reason.ts';
import type { Reject } from './records.ts';
import type { ShardFiles, ShardWriter } from './shard-files.ts';

/** The unit of work: one output shard of one stage. Plain data: it crosses threads and machines. */
export interface Shard<Work = unknown> {
  /** Digits, zero-padded: the base name of what is written (`00000.tar`, `00000_stats.json`). */
  readonly name: string;
  /** What exactly is to be done (which file, which rows, which partition): plain JSON, checked by the stage's `work`. */
  readonly work: Work;
  /** What it is made from, and how that is known. With other inputs a finished shard is stale. */
  readonly inputs: readonly ShardInput[];
  /** Shards of the same stage that must be finished before this one; their lineage counts as an input. */
  readonly after?: readonly string[];
}

export interface ShardInput {
  /** `candidates/00003`, or the name of a file from outside. Never an absolute path: a run may be moved. */
  readonly name: string;
  readonly digest: string;
}

/** All shards of a stage, as far as they follow from what is there now. */
export interface Plan<Work = unknown> {
  readonly shards: readonly Shard<Work>[];
  /** False where more may come when more of the inputs is there. With sealed inputs it is true. */
  readonly complete: boolean;
  /** What the user should hear of it: one sentence each. */
  readonly notes?: readonly string[];
}

/** --retry-failed: items that were dropped under these reasons are to be tried again. */
export interface Retry {
  readonly reasons: readonly string[];
  /** Names of the stage's shards that were finished when the command began: what others drop is not tried again by the same command. */
  readonly finishedBefore: ReadonlySet<string>;
}

/** What a plan follows from. */
export interface PlanContext<Options, Work = unknown> {
  readonly options: Options;
  /** `--input` of a stage that takes files from outside; else undefined. */
  readonly input: string | undefined;
  /** State of each dataset that the stage reads, by name; one that is optional and absent is not in it. */
  readonly datasets: Readonly<Record<string, DatasetState>>;
  /** What the stage has finished; while a redo is open, what of it is made again. */
  readonly own: DatasetState;
  /** True while a --redo of the stage is open. */
  readonly redo?: boolean;
  /** Of a stage that `retries`, where the command asks for it. */
  readonly retry?: Retry | undefined;
  /** Work that earlier plans have chosen, by shard name in order; only of a stage that `records`. */
  readonly recorded: ReadonlyMap<string, Work>;
  /** What the environment says of S3: for memory only, never written or printed. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The run's folder or s3:// prefix: paths below it are recorded relative to it. */
  readonly runLocation: string;
}

/** What a stage keeps between shards: an HTTP client, a model, a bloom filter. */
export interface Resources {
  /**
   * The resource of a kind for a key (the options that make it, as plain data): made where this thread has none, kept for later
   * shards while there is room, closed by the runtime (`close`, where it has one). It is not closed while the shard that asked
   * for it runs.
   */
  get<T extends object>(kind: string, key: unknown, make: () => T | Promise<T>): Promise<T>;
  /**
   * A port to a thread that all workers of this process share, by the URL of its module and a number: started where there is none.
   * The thread is sent `{ connect: MessagePort }`, the other end. The port closes when the thread ends.
   */
  thread(module: string, number: number): Promise<MessagePort>;
}

/** What waits between a stage and its readers, in the unit of the stage. */
export interface WaterMarks {
  readonly level: number;
  readonly low: number;
  readonly high: number;
}

/** What a shard has done item by item, kept until it is finished: a process that is killed loses only what it was doing. */
export interface Journal<Value> {
  /** What an earlier try of the shard, with the same options and inputs, has noted for an item. */
  recall(item: number): Promise<Value | undefined>;
  /** Notes plain data, bytes included, for an item. */
  note(item: number, value: Value): Promise<void>;
}

/** What a running shard can see. */
export interface RunContext<Options> {
  readonly options: Options;
  readonly input: string | undefined;
  /** A dataset that the stage reads. Undefined where it is optional and absent. */
  dataset(name: string): Dataset | undefined;
  /** The dataset that the stage writes, for what it keeps beside its shards. While a redo is open, without what it has yet to make again. */
  readonly own: Dataset;
  /** An empty local folder that goes with the shard. */
  readonly scratch: string;
  readonly resources: Resources;
  /** Connection URL of PostgreSQL; the server of the run is started when the first shard asks. */
  database(): Promise<string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly runLocation: string;
  /** Random, given to the run once: a database says with it whose links it holds. */
  readonly runId: string;
  /** --accept-changed: keep what other inputs have made. */
  readonly acceptChanged: boolean;
}

/** What a shard's run may do to the world. */
export interface Effects<S extends string = string> {
  /** Aborted when the run stops; long waits listen to it. */
  readonly signal: AbortSignal;
  /** Adds to the progress display: items come in and items passed on since the last call. */
  progress(counts: { in?: number; out?: number }): void;
  /**
   * Counts one dropped item under its reason and keeps it for rejects/ (a seeded sample, or all). Called in input order.
   * A function is called only for an item that is kept.
   */
  drop(reason: DropReason<S>, item: Omit<Reject, 'reason'> | (() => Omit<Reject, 'reason'>)): void;
  /**
   * The journal of the shard, opened once. `key`: what decides the values beside the inputs and the options that decide the result, as
   * plain data. Where it was another, nothing is recalled.
   */
  journal<Value>(key: unknown): Promise<Journal<Value>>;
  /**
   * Where another stage takes the samples as they are packed (--fused): opened with the columns of their rows, before the first. Absent
   * where the tar is read afterwards.
   */
  readonly handOver?: (columns: z.ZodObject) => Promise<Pick<SampleReceiver, 'take'>>;
  /** The files of the shard. They are closed, counted, hashed and published together when `run` has returned, and vanish when it throws. */
  readonly files: ShardFiles;
  /**
   * Marks a named point in the order of writes. Does nothing in production; the kill tests kill the process
   * group at such a point.
   */
  reached(point: string): void;
}

/** A sample as it is packed: its row, and the members of the tar. */
export interface HandedSample {
  readonly row: Readonly<Record<string, unknown>>;
  readonly members: readonly (readonly [suffix: string, bytes: Uint8Array])[];
}

/** What a stage does with the samples of one shard that come straight from the stage that packs them, in their order. */
export interface SampleReceiver {
  take(sample: HandedSample): Promise<void>;
  /** When the last one was taken. */
  result(): Promise<ShardResult>;
}

/** What the stage says of a finished shard; the runtime adds times, files, digests and what was dropped. */
export interface ShardResult {
  /** Items that came in. */
  in: number;
  /** Items written: counted by reading again what these writers wrote; a number only where no file holds them. */
  out: number | readonly ShardWriter[];
  /** What the user should hear of, though nothing failed: a crawl file cut in the middle, say. One sentence each. */
  warnings?: string[];
  /** Further keys for `_stats.json` (img2dataset's, for instance). */
  extra?: Record<string, unknown>;
}

/**
 * A stage: `plan` says which shards follow from what is there, `run` makes one, `seal` rounds off when all are there.
 * It knows its shard and not the machine it runs on, and keeps no state in its module.
 */
export interface Stage<S extends string = string, Schema extends z.ZodObject = z.ZodObject, Work = unknown> {
  readonly name: S;
  /** One sentence for help, README and ARCHITECTURE. */
  readonly does: string;
  /** Datasets that it reads, by name; the first is the one that `--input` names. */
  readonly reads: readonly DatasetInput[];
  /** Datasets that later stages write and that it looks at where they are there: its shards do not follow from them. */
  readonly consults?: readonly string[];
  /** The dataset that it writes: the name of its folder in the run. */
  readonly writes: string;
  /** What `--input` may name instead of a dataset (crawl files, a list of links). Such a stage plans without its datasets then. */
  readonly takes?: string;
  /** Unit of the counts: `links`, `samples`, … */
  readonly unit: string;
  /** Version of what it writes; part of `made_by`. */
  readonly format: number;
  /** What a version of it writes otherwise than the one before: said to a user whose shards are older. */
  readonly formatChanges?: Readonly<Record<number, string>>;
  readonly options: Schema;
  readonly work: z.ZodType<Work>;
  /**
   * True where planning chooses (which file has which number, how a list is cut): the choice is recorded, and `recorded` gives it
   * back.
   */
  readonly records?: boolean;
  /** Of a stage that records: false for a shard that follows from markers alone. */
  isChosen?(shard: Shard<Work>): boolean;
  /** True where it plans what --retry-failed asks for. */
  readonly retries?: boolean;
  /** Options that name the place of a dataset, by option: `--tags DIR` of release is where its dataset `tags` lies. */
  readonly locates?: Readonly<Record<string, string>>;
  /** What the command of the next stage needs beside places to take up what this one writes: a flag. */
  readonly takenUpBy?: string;
  /** True where its input can't be had again (links die): a stale shard is refused and not made again unasked. */
  readonly irreplaceable?: boolean;
  /** True where the new is written beside the old and takes its place at once, so that a reader can go on. */
  readonly swaps?: boolean;
  /** True where its shards ask for the database of links: its command has --db. */
  readonly database?: boolean;
  /** `io`: waits for the network more than it computes, and does not take a core from other stages. */
  readonly threads?: 'cpu' | 'io';
  /** Shards that may run at a time, where memory sets a bound. */
  maxRunning?(options: z.output<Schema>): number;
  /** Finished shards that may wait for their reader, for each worker; where it is reached, no further one is started. */
  readonly maxAhead?: number;
  /**
   * How much waits for the stages that read it, and the water marks: at `high` no further shard is started until `low` is reached.
   * `readers` are the datasets of the stages of this command that read what it writes.
   */
  waiting?(context: { options: z.output<Schema>; own: DatasetState; readers: Readonly<Record<string, DatasetState>> }): WaterMarks;
  /** What the user should know before the first shard (memory that it will take, say): a line each. */
  announce?(options: z.output<Schema>): string[];
  /**
   * Throws UsageError where options contradict each other, or the stages of this command that read what it writes (`readers`); before
   * anything is done.
   */
  check?(options: z.output<Schema>, readers: readonly string[]): void;
  /** sha256 of the model files that the options name, for `made_by`. Absent: no model. */
  models?(options: z.output<Schema>): Promise<Record<string, string>>;
  plan(context: PlanContext<z.output<Schema>, Work>): Plan<Work> | Promise<Plan<Work>>;
  run(shard: Shard<Work>, context: RunContext<z.output<Schema>>, effects: Effects<S>): Promise<ShardResult>;
  /** True where it packs samples and hands them over when asked to (`effects.handOver`). */
  readonly handsOver?: boolean;
  /** What `run` does with the samples of a tar, for those that are handed over. The shard has the name of theirs and no work of its own. */
  receive?(shard: { name: string }, context: RunContext<z.output<Schema>>, effects: Effects<S>, columns: z.ZodObject): Promise<SampleReceiver>;
  /**
   * When all its shards are there, and again when one of them has changed. Idempotent. What it returns stands in `_sealed.json`, for
   * the plans of the stages that read the dataset (`DatasetState.record`).
   */
  seal?(context: RunContext<z.output<Schema>>, effects: Pick<Effects<S>, 'signal' | 'reached'>): Promise<SealRecord | void>;
  /** What of the seal's record the user should see at the end of a run in which the stage made something: a line each. */
  conclude?(record: SealRecord): string[];
}

import type { z } from 'zod';
import type { DropReason, StageName } from './drop-reason.ts';
import type { Reject } from './records.ts';

/** The unit of work: one output shard of one stage. Plain data: it crosses threads and, later, machines. */
export interface Shard {
  /** Digits, zero-padded: the base name of what is written (`00000.tar`, `00000_stats.json`). */
  readonly name: string;
  /** Path of each input, with what identifies its content: the fingerprint in its marker, else its size. */
  readonly inputs: readonly ShardInput[];
}

export interface ShardInput {
  readonly path: string;
  readonly identity: string;
}

/** Where a stage reads and writes. Paths are absolute. */
export interface StageFolders {
  /** Folder (or file, glob, list) that the stage reads. */
  readonly input: string;
  /** Folder that the stage writes. */
  readonly output: string;
  /** `rejects/` of the run. */
  readonly rejects: string;
  /** Folders of other stages by name, for the few stages that read more than one (release, index). */
  readonly stages: Readonly<Partial<Record<StageName, string>>>;
  /** PostgreSQL connection URL, where there is one. */
  readonly database?: string | undefined;
  /** What the environment says of S3, credentials included: for memory only, never written or printed. */
  readonly aws?: Readonly<Record<string, string>> | undefined;
}

export interface StageContext<Options> {
  readonly options: Options;
  readonly folders: StageFolders;
}

/** What a shard's run may do to the world beyond its own files. */
export interface Effects<S extends StageName = StageName> {
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
   * Marks a named point in the order of writes. Does nothing in production; the kill tests kill the process
   * group at such a point.
   */
  reached(point: string): void;
}

/** What the stage says of a finished shard; the runtime adds times, fingerprint and what was dropped. */
export interface ShardResult {
  /** Items that came in. */
  in: number;
  /** Items written, counted by reading the output again. */
  out: number;
  /** What the user should hear of, though nothing failed: a crawl file cut in the middle, say. One sentence each. */
  warnings?: string[];
  /** Further keys for `_stats.json` (img2dataset's, for instance). */
  extra?: Record<string, unknown>;
}

/**
 * A stage: a function of (one input shard, options, effects) that knows its shard and not the machine it runs on.
 * `plan` lists the shards in a fixed order and does no work; it may be lazy (download draws a batch when a worker
 * is free). `run` writes under temporary names and moves into place; the runtime then writes the marker.
 */
export interface Stage<S extends StageName = StageName, Schema extends z.ZodObject = z.ZodObject> {
  readonly name: S;
  /** One sentence for help, README and ARCHITECTURE. */
  readonly does: string;
  /** Folder of the run that it reads, and the one that it writes (of `ingest`, only the markers). */
  readonly reads: string;
  readonly writes: string;
  /** Where it needs `folders.database`: always, or unless its input is given. */
  readonly usesDatabase?: 'always' | 'without-input';
  /** Unit of the counts: `links`, `samples`, … */
  readonly unit: string;
  /** Version of what it writes; part of the fingerprint. */
  readonly format: number;
  readonly options: Schema;
  /** True where a decision depends on all shards before: shards run one after another, in order. */
  readonly ordered?: boolean;
  /** What the user should know before the first shard (memory that it will take, say): a line each. */
  announce?(options: z.output<Schema>): string[];
  plan(context: StageContext<z.output<Schema>>, effects: Pick<Effects<S>, 'reached'>): AsyncIterable<Shard> | Promise<Shard[]>;
  run(shard: Shard, context: StageContext<z.output<Schema>>, effects: Effects<S>): Promise<ShardResult>;
  /** sha256 of the model files that the options name, for the fingerprint. Absent: no model. */
  models?(options: z.output<Schema>): Promise<Record<string, string>>;
  /** After the marker of a shard is on disk: let go of what only a redo would need (a lease). Idempotent. */
  finished?(shard: Shard, context: StageContext<z.output<Schema>>): Promise<void>;
  /** What serves this stage beside its own output, e.g. closing a pool. Called once per worker at its end. */
  close?(): Promise<void>;
}

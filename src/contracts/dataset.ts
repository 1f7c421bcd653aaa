import type { Dropped } from './drop-reason.ts';
import type { Storage } from './storage.ts';

/** A finished shard of a dataset, as plans see it: what its marker says. */
export interface PublishedShard {
  /** Digits, zero-padded. */
  readonly name: string;
  /** Over its files; of a shard of another tool, which has no marker of ours, what can be known of it. */
  readonly digest: string;
  /** Over the digests of all shards before it on which it depends, and its own; absent where it depends on none. */
  readonly lineage?: string | undefined;
  /** Items written; absent where no marker says it. */
  readonly out?: number | undefined;
  /** Items that it dropped, by reason; absent where no marker of ours says it. */
  readonly dropped?: Dropped | undefined;
  /** Names relative to the dataset; empty where it has markers only. */
  readonly files: readonly string[];
  /** Options and models that it counts as made with; absent where another tool made it. */
  readonly madeBy?: { readonly options: Readonly<Record<string, unknown>>; readonly models: Readonly<Record<string, string>> } | undefined;
  /** Digests of what it was made from, by name (`pairs/00003`); absent where another tool made it. */
  readonly madeOf?: Readonly<Record<string, string>> | undefined;
  /** What really made it, where --accept-changed has kept it. */
  readonly acceptedFrom?: PublishedShard['madeBy'];
  /** True where its files were removed after everything that reads them was finished (--keep). */
  readonly removed?: boolean | undefined;
  /** Of a shard whose files were removed: those that are there. */
  readonly kept?: readonly string[] | undefined;
  /** What `verify --mend` found wrong with its files. */
  readonly damaged?: string | undefined;
}

/** What there is of a dataset now. */
export interface DatasetState {
  /** Finished shards by ascending number; those that were skipped for good (--skip-failed) are left out. */
  readonly shards: readonly PublishedShard[];
  /** Names of those that were skipped. */
  readonly skipped?: readonly string[];
  /** True where none is missing and none will come. */
  readonly sealed: boolean;
  /** Of a sealed dataset: what the stage's `seal` has recorded. */
  readonly record?: SealRecord | undefined;
}

/** What the seal of a stage records for the plans of the stages that read it: plain JSON. */
export type SealRecord = Readonly<Record<string, unknown>>;

/** A dataset as a running shard sees it. */
export interface Dataset {
  readonly name: string;
  /** Absolute path or s3:// URL, for messages. */
  readonly location: string;
  readonly storage: Storage;
  state(): Promise<DatasetState>;
  /** A local path of one of its files; of a remote dataset a copy, which goes with the shard. Throws ShardError where it is missing. */
  fetch(file: string): Promise<string>;
}

/** A dataset that a stage reads. */
export interface DatasetInput {
  readonly dataset: string;
  /** True where the stage can begin only when the dataset is sealed; else it goes on shard by shard. */
  readonly whole?: boolean;
  /** True where the stage works without it too. */
  readonly optional?: boolean;
  /** True where the dataset may lie in the folder of another: `pairs` in `samples`, where nothing was filtered. */
  readonly unfiltered?: boolean;
  /**
   * How another tool's files without markers are recognised, relative to the dataset: the first group is the name of
   * the shard. Files of one shard may match several times (sets). Of several patterns, the first by which there is a file counts.
   */
  readonly unmarked?: RegExp | readonly RegExp[];
  /** True where no other tool writes markers for such files: one that is not ours does not make the files without any unfinished. */
  readonly foreignUnmarked?: boolean;
}

/** The shards from number 0 up to the first that is missing: what comes there comes before those after it, whenever it is finished. */
export function shardsInRow(shards: readonly PublishedShard[]): readonly PublishedShard[] {
  const gap = shards.findIndex(({ name }, i) => Number(name) !== i);
  return gap < 0 ? shards : shards.slice(0, gap);
}

/** Items that shards have written, as far as their markers say. */
export function itemsOf(shards: readonly PublishedShard[]): number {
  return shards.reduce((sum, { out }) => sum + (out ?? 0), 0);
}

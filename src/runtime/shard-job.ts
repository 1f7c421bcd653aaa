import type { SealRecord } from '../contracts/dataset.ts';
import type { MadeBy, ShardStats } from '../contracts/shard-stats.ts';
import type { Shard } from '../contracts/stage.ts';
import type { ResourcePool } from './resource-pool.ts';
import type { RunSettings } from './run-settings.ts';

/** One shard to make, or a stage to seal: plain data, so that it can go to a thread or another machine. */
export interface ShardJob {
  stage: string;
  /** Absent: the stage is to be sealed. */
  shard?: Shard;
  settings: RunSettings;
  madeBy: MadeBy;
  /** Lineages of the shards that `after` names; empty where the shard depends on none of its stage. */
  lineages: readonly string[];
  /** Id of the open --redo under which it is made. */
  redo?: string | undefined;
  /** The stage that takes its samples as they are packed. */
  fused?: FusedWith | undefined;
}

/** What a job brings: of a shard its marker, of a seal what the stage records. */
export interface JobResult {
  marker?: ShardStats;
  /** That of the stage which has taken the samples. */
  fused?: ShardStats;
  record?: SealRecord | undefined;
}

/** Items since the last call. */
export interface ItemCounts {
  in?: number;
  out?: number;
  dropped?: number;
}

/** What the process that runs a job has to offer. */
export interface JobHost {
  signal: AbortSignal;
  resources: ResourcePool;
  environment: Readonly<Record<string, string | undefined>>;
  database(): Promise<string>;
  progress(counts: ItemCounts): void;
  reached(point: string): void;
}

/** The stage that takes the samples of a shard as they are packed, and how its shard of the same name is made. */
export interface FusedWith {
  stage: string;
  /** Without inputs: the one that it has is known when the samples are packed. */
  madeBy: MadeBy;
  redo?: string | undefined;
}

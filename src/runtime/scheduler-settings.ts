import type { DatasetState } from '../contracts/dataset.ts';
import type { ShardStats } from '../contracts/shard-stats.ts';
import type { RunSettings } from './run-settings.ts';
import type { StageState } from './stage-state.ts';
import type { StageActivity } from './stage-work.ts';

export interface SchedulerSettings {
  run: RunSettings;
  environment: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
  /** Share of a stage's shards that may fail for good and be skipped; 0 for none. */
  skipFailed: number;
  /** Datasets whose files stay when everything that reads them is finished; undefined for all. */
  keep?: readonly string[] | undefined;
  /** State of the datasets that no stage of this session writes. */
  given: ReadonlyMap<string, DatasetState>;
  /** Samples are handed over as they are packed, where a stage of this session takes them; their tars are not kept. */
  fused?: boolean;
  /** Tries of a shard whose failure may heal. */
  tries?: number;
  /** Pause before the second try; each further one is four times as long. */
  firstPauseMs?: number;
}

export interface SchedulerEvents {
  /** Something of a stage has changed: counts, shards, what it waits for. */
  changed(activity: StageActivity): void;
  finished(stats: ShardStats, already: boolean): void;
  /** A stage is whole, now or since before. May throw, which stops the run. */
  sealed?(stage: StageState): void;
  failed(stage: string, shard: string, message: string, again: boolean): void;
  note(line: string): void;
  reached(point: string): void;
}

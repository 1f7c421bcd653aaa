import type { Shard } from '../../contracts/stage.ts';
import type { LinkRow } from './link-row.ts';

/** Where batches of links come from: PostgreSQL, or Parquet files. */
export interface BatchSource {
  /** Batches in the order of their numbers, those of finished shards too. */
  plan(reached: (point: string) => void): AsyncIterable<Shard>;
  /** The links of one batch, in the order of the samples to be. */
  read(shard: Shard): Promise<LinkRow[]>;
  /** After the marker of the shard is on disk. */
  finished(shard: Shard): Promise<void>;
}

/** Shards have at least five digits, as img2dataset's. */
export function shardName(number: number): string {
  return String(number).padStart(5, '0');
}

import type { MadeBy, ShardStats } from '../contracts/shard-stats.ts';
import { digestOf } from './shard-digest.ts';

/** The marker of a shard that failed for good and counts as empty from now on (--skip-failed), so that every later run agrees. */
export function skippedMarker(stage: string, shard: string, madeBy: MadeBy, skipped: { reason: string; tries: number }): ShardStats {
  const now = Date.now() / 1000;
  const digest = digestOf([], { skipped: 'true' });
  return {
    stage,
    shard,
    in: 0,
    out: 0,
    dropped: {},
    duration: 0,
    start_time: now,
    end_time: now,
    files: [],
    digest,
    lineage: digest,
    made_by: madeBy,
    skipped,
  };
}

import { type Dropped, totalDropped } from '../contracts/drop-reason.ts';
import type { ShardStats, StageSummary } from '../contracts/shard-stats.ts';
import type { StageActivity } from './stage-work.ts';

/**
 * Sums markers into the line of `summary.json`. An item that was tried again counts once, as what became of it in the end. Seconds: of
 * shards that are older than the session as their markers say, and of the session from its first shard to its last.
 */
export function summarise(name: string, shards: readonly ShardStats[], session?: Pick<StageActivity, 'kept' | 'firstStart' | 'lastEnd'>): StageSummary {
  const names = new Set(shards.map(({ shard }) => shard));
  const dropped: Dropped = {};
  let [taken, out, seconds] = [0, 0, 0];
  for (const shard of shards) {
    for (const [source, retried] of Object.entries(shard.retried ?? {})) {
      if (!names.has(source)) continue;
      taken -= totalDropped(retried);
      for (const [reason, n] of Object.entries(retried)) dropped[reason] = (dropped[reason] ?? 0) - n;
    }
    taken += shard.in;
    out += shard.out;
    for (const [reason, n] of Object.entries(shard.dropped)) dropped[reason] = (dropped[reason] ?? 0) + n;
    if (!session || session.kept.has(shard.shard)) seconds += shard.duration;
  }
  if (session?.firstStart !== undefined && session.lastEnd !== undefined) seconds += (session.lastEnd - session.firstStart) / 1000;
  const reasons = Object.entries(dropped).filter(([, n]) => n > 0);
  return { name, in: taken, out, dropped: Object.fromEntries(reasons.sort(([a], [b]) => (a < b ? -1 : 1))), seconds };
}

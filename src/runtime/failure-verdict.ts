import { RunError, ShardError, UsageError } from '../contracts/errors.ts';
import type { SchedulerSettings } from './scheduler-settings.ts';
import type { StageState } from './stage-state.ts';

const TRIES = 3;
const FIRST_PAUSE_MS = 1_000;

/** What follows from the failure of a shard. */
export type FailureVerdict =
  /** Nothing can go on. */
  | { do: 'stop' }
  | { do: 'retry'; afterMs: number }
  /** It counts as empty from now on (--skip-failed). */
  | { do: 'skip' }
  /** It failed for good, and what needs it waits. */
  | { do: 'fail' };

/** `tries`: how often the shard was tried, this time included. */
export function failureVerdict(error: unknown, { valid, plan }: StageState, tries: number, settings: SchedulerSettings): FailureVerdict {
  if (error instanceof RunError || error instanceof UsageError || settings.signal.aborted) return { do: 'stop' };
  if (error instanceof ShardError && error.heals && tries < (settings.tries ?? TRIES))
    return { do: 'retry', afterMs: (settings.firstPauseMs ?? FIRST_PAUSE_MS) * 4 ** (tries - 1) };
  const skipped = [...valid.values()].filter((marker) => marker.skipped).length;
  return { do: skipped + 1 <= settings.skipFailed * Math.max(1, plan.shards.length) ? 'skip' : 'fail' };
}

import type { OpenedRun } from '../runtime/open-run.ts';
import type { Session } from './session.ts';

/** What the stages of a command say before their first shard, a line each. */
export function announcements({ stages, options }: Session): string[] {
  return stages.flatMap((stage) => (stage.announce?.(options[stage.name] ?? {}) ?? []).map((line) => `${stage.name}: ${line}`));
}

/** What the plans of a command say, as they are before its first shard. */
export function planNotes({ states }: OpenedRun): string[] {
  return states.flatMap(({ plan }) => plan.notes ?? []);
}

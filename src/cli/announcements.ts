import type { Session } from './session.ts';

/** What the stages of a command say before their first shard, a line each. */
export function announcements({ stages, options }: Session): string[] {
  return stages.flatMap((stage) => (stage.announce?.(options[stage.name] ?? {}) ?? []).map((line) => `${stage.name}: ${line}`));
}

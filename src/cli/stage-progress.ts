import type { StageActivity } from '../runtime/stage-work.ts';
import type { StageState } from '../runtime/stage-state.ts';
import { isRetry } from '../stages/download/download-work.ts';
import type { StageProgress } from './stage-figures.ts';

/** The figures of one stage for the display, from what the scheduler knows. `states` are all stages of the command. */
export function stageProgress(activity: StageActivity, states: readonly StageState[]): StageProgress {
  const { state } = activity;
  const { stage } = state;
  const kept = [...activity.kept].map((name) => state.valid.get(name)).filter((marker) => marker !== undefined);
  const sum = (of: (marker: (typeof kept)[number]) => number): number => kept.reduce((total, marker) => total + of(marker), 0);
  const again = triedAgain(state);
  const received = sum((marker) => marker.in) + activity.counts.in - again;
  const producer = states.find((other) => other.stage.writes === stage.reads[0]?.dataset);
  const expected = producer ? [...producer.valid.values()].reduce((total, { out }) => total + out, 0) : undefined;
  return {
    name: stage.name,
    unit: stage.unit,
    state: stateOf(activity),
    waitsFor: waitsFor(state, states),
    in: received,
    out: sum((marker) => marker.out) + activity.counts.out,
    dropped: sum((marker) => marker.in - marker.out) + activity.counts.dropped - again,
    ...(expected !== undefined && { expected: Math.max(expected, received), final: producer!.sealed }),
    shards: { finished: state.valid.size, running: activity.running.size, planned: state.plan.shards.length },
  };
}

/** Links that shards have dropped and others try again: each counts once, and not before it has come in again. */
function triedAgain({ plan, valid }: StageState): number {
  let links = 0;
  for (const { work } of plan.shards) {
    if (!isRetry(work)) continue;
    for (const { shard, reasons } of work.retry) for (const reason of reasons) links += valid.get(shard)?.dropped[reason] ?? 0;
  }
  return links;
}

function stateOf({ state, running, failed }: StageActivity): StageProgress['state'] {
  if (failed.size > 0 && running.size === 0) return 'failed';
  if (state.sealed) return 'done';
  return running.size > 0 ? 'running' : 'waiting';
}

function waitsFor({ stage }: StageState, states: readonly StageState[]): string {
  const missing = stage.reads.filter(({ dataset }) => states.some((other) => other.stage.writes === dataset && !other.sealed));
  return missing.length > 0 ? `for ${missing.map(({ dataset }) => dataset).join(' and ')}` : 'for a free worker';
}

import type { ShardStats } from '../contracts/shard-stats.ts';
import type { StageState } from './stage-state.ts';

/** What a stage is doing in this session. */
export interface StageActivity {
  readonly state: StageState;
  running: Set<string>;
  failed: Map<string, string>;
  /** Items since the start, of shards that are made now. */
  counts: { in: number; out: number; dropped: number };
  kept: Set<string>;
  firstStart: number | undefined;
  lastEnd: number | undefined;
}

/** A stage as the scheduler handles it. */
export interface StageWork extends StageActivity {
  readonly tries: Map<string, number>;
  readonly pausedUntil: Map<string, number>;
  /** Its inputs or markers have changed since the last plan. */
  dirty: boolean;
  sealing: boolean;
  /** It has reached its high water mark, and not the low one since. */
  held: boolean;
  /** Shards that were made in this session, or said to be made again. */
  readonly announced: Set<string>;
}

export function stageWork(state: StageState): StageWork {
  return {
    state,
    tries: new Map(),
    pausedUntil: new Map(),
    dirty: true,
    sealing: false,
    held: false,
    running: new Set(),
    failed: new Map(),
    counts: { in: 0, out: 0, dropped: 0 },
    kept: new Set(),
    firstStart: undefined,
    lastEnd: undefined,
    announced: new Set(),
  };
}

export function readersOf(all: readonly StageWork[], { stage }: StageState): StageWork[] {
  return all.filter((work) => work.state.stage.reads.some(({ dataset }) => dataset === stage.writes));
}

/** The stage that takes what this one hands over. */
export function takerOf(all: readonly StageWork[], state: StageState): StageWork | undefined {
  return state.stage.handsOver ? readersOf(all, state).find((reader) => reader.state.stage.receive) : undefined;
}

/** Takes in a shard that was made together with the one that it reads. */
export function addTaken(work: StageWork, stats: ShardStats): void {
  work.state.setMarker(stats.shard, stats);
  work.announced.add(stats.shard);
  work.counts.in += stats.in;
  work.counts.out += stats.out;
  work.counts.dropped += stats.in - stats.out;
  work.firstStart ??= stats.start_time * 1000;
  work.lastEnd = Date.now();
  work.dirty = true;
}

/** A seal goes where the first lane ran: that thread holds what it has to save. */
export function firstLane({ plan }: StageState): string | undefined {
  const [first] = plan.shards;
  return first?.after ? first.name : undefined;
}

/** Milliseconds until a paused shard may be tried again; undefined where none waits for that. */
export function nextPause(all: readonly StageWork[]): number | undefined {
  const now = Date.now();
  const times = all.flatMap(({ pausedUntil, failed, running, state }) =>
    state.pending.map(({ shard }) => (failed.has(shard.name) || running.has(shard.name) ? 0 : (pausedUntil.get(shard.name) ?? 0))).filter((time) => time > now),
  );
  return times.length === 0 ? undefined : Math.max(1, Math.min(...times) - now);
}

import type { RunSettings } from './run-settings.ts';
import { readersOf, type StageWork } from './stage-work.ts';

/** Whether the stage's own rules let it begin another shard: memory, shards ahead of their readers, water marks. */
export function mayBegin(all: readonly StageWork[], work: StageWork, slots: number, run: RunSettings): boolean {
  const { state } = work;
  const { stage } = state;
  const options = run.options[stage.name] ?? {};
  if (stage.maxRunning && work.running.size >= stage.maxRunning(options)) return false;
  if (stage.maxAhead !== undefined && shardsAhead(all, work) >= stage.maxAhead * slots) return false;
  return !isHeld(readersOf(all, state), work, options);
}

/**
 * Whether a stage waits for its readers: from its high water mark on, until the low one is reached. Where they can't go on with what is
 * there (it is less than a batch), it is not held.
 */
function isHeld(readers: readonly StageWork[], work: StageWork, options: Readonly<Record<string, unknown>>): boolean {
  const { stage } = work.state;
  if (!stage.waiting || readers.length === 0) return false;
  const datasets = Object.fromEntries(readers.map(({ state }) => [state.stage.writes, state.dataset()]));
  const { level, low, high } = stage.waiting({ options, own: work.state.dataset(), readers: datasets });
  if (level >= high) work.held = true;
  else if (level <= low) work.held = false;
  return work.held && readers.some(({ state, running }) => state.pending.length > 0 || running.size > 0);
}

/** Shards that are made or in the making and that no reader of this session has finished with. */
function shardsAhead(all: readonly StageWork[], work: StageWork): number {
  const readers = readersOf(all, work.state).filter(({ state }) => state.stage.reads.every(({ whole }) => !whole));
  if (readers.length === 0) return 0;
  const waiting = [...work.state.valid.keys()].filter((name) => readers.some(({ state }) => !state.valid.has(name)));
  return waiting.length + work.running.size;
}

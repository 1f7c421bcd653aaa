import { expect, test } from 'vitest';
import type { Stage } from '../../src/contracts/stage.ts';
import { mayBegin } from '../../src/runtime/may-begin.ts';
import type { StageState } from '../../src/runtime/stage-state.ts';
import { type StageWork, stageWork } from '../../src/runtime/stage-work.ts';

/** A stage whose reader has as many shards to make, and that has as much waiting between them. */
function stages(): { all: StageWork[]; writer: StageWork; begins(level: number, pending: number): boolean } {
  let level = 0;
  const dataset = { shards: [], sealed: false };
  const work = (stage: Partial<Stage>): StageWork => stageWork({ stage, pending: [], valid: new Map(), dataset: () => dataset } as unknown as StageState);
  const writer = work({ name: 'ingest', reads: [], writes: 'ingest', waiting: () => ({ level, low: 20, high: 100 }) });
  const reader = work({ name: 'draw', reads: [{ dataset: 'ingest' }], writes: 'batches' });
  const all = [writer, reader];
  return {
    all,
    writer,
    begins(now, pending) {
      level = now;
      reader.state.pending = Array.from({ length: pending }, () => ({}) as StageState['pending'][number]);
      return mayBegin(all, writer, 1, { options: {} } as Parameters<typeof mayBegin>[3]);
    },
  };
}

test('a stage stops at its high water mark and goes on at the low one, and not in between', () => {
  const { begins } = stages();
  expect([0, 99, 100, 99, 21, 20, 50, 99, 130, 60].map((level) => begins(level, 1))).toEqual([true, true, false, false, false, true, true, true, false, false]);
});

test('it goes on above the low water mark where its readers can make nothing of what waits', () => {
  const { begins } = stages();
  expect([begins(100, 1), begins(30, 0), begins(30, 1)]).toEqual([false, true, false]);
});

test('without a reader in the command there is nothing to wait for', () => {
  const { all, writer, begins } = stages();
  all.splice(
    all.findIndex((work) => work !== writer),
    1,
  );
  expect(begins(1_000, 0)).toBe(true);
});

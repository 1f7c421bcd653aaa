import type { Journal } from '../../contracts/stage.ts';

/** The steps whose work is noted, so that a command that was killed goes on: each has numbers of its own in the journal of the shard. */
const steps = ['iterated', 'centred', 'assigned', 'compared'] as const;
export type Step = (typeof steps)[number];

/** More numbers than a step has rows; those of the journal have 32 bits. */
const ITEMS = 2 ** 30;

/** The items of one step. */
export function stepJournal<Value>(journal: Journal<unknown>, step: Step): Journal<Value> {
  const first = steps.indexOf(step) * ITEMS;
  return {
    recall: (item) => journal.recall(first + item) as Promise<Value | undefined>,
    note: (item, value) => journal.note(first + item, value),
  };
}

/** What a step needs beside its data. */
export interface StepSettings {
  scratch: string;
  signal: AbortSignal;
  journal: Journal<unknown>;
  /** Called when something was noted. */
  onNoted(step: Step): void;
}

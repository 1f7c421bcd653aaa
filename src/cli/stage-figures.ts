import { counted, nounFor } from '../contracts/counted.ts';
import { formatRate, formatSeconds } from './number-text.ts';
import type { BarRow } from './progress-bars.ts';

/** Rates are means of so many milliseconds: shorter jumps about, longer hides that a stage has stopped. */
const RATE_WINDOW = 10_000;
const SAMPLE_INTERVAL = 250;
/** A stage that waits for less than this between two shards is shown as running. */
const SHORT_WAIT = 1_000;

/** The figures of one stage, as the run tells them. */
export interface StageProgress {
  name: string;
  /** What comes in, in the plural: links. */
  unit: string;
  state: 'waiting' | 'running' | 'done' | 'failed';
  /** Why it waits, in words: 'for links', 'staging is full (10,000,000 links)', 'for 3 failed shards of extract'. */
  waitsFor?: string;
  in: number;
  out: number;
  dropped: number;
  /** Items that will come in as far as is known now; `final` when that number is certain. */
  expected?: number;
  final?: boolean;
  shards: { finished: number; running: number; planned: number };
}

/** The figures last told of a stage, and how they moved. */
export class StageFigures {
  told: StageProgress;
  #toldAt: number;
  /** What had come in when the display began. */
  #inBefore: number;
  /** When `in` had which value, oldest first; the first is where the rate counts from. */
  #samples: { at: number; in: number }[];
  #runningMs = 0;
  #ranAt: number;
  #ranSinceDone: boolean;

  constructor(stage: StageProgress, at: number) {
    this.told = { ...stage };
    this.#toldAt = at;
    this.#inBefore = stage.in;
    this.#samples = [{ at, in: stage.in }];
    this.#ranSinceDone = stage.state === 'running';
    this.#ranAt = this.#ranSinceDone ? at : -Infinity;
  }

  /** Takes in new figures. True where the stage came to its end with them. */
  tell(stage: StageProgress, at: number): boolean {
    const before = this.told;
    if (before.state === 'running') {
      this.#runningMs += at - this.#toldAt;
      this.#ranAt = at;
    }
    // The time that a stage waited for its first item is none of its rate's.
    if (before.state !== 'running' && this.#ranAt === -Infinity) this.#samples = [{ at, in: before.in }];
    if (stage.state === 'running') this.#ranAt = at;
    if (stage.state === 'running' || (stage.in > before.in && before.state !== 'done')) this.#ranSinceDone = true;
    // What a failed try had counted is taken back.
    if (stage.in < before.in) this.#samples = [{ at, in: stage.in }];
    else if (stage.in > before.in && at - this.#samples.at(-1)!.at >= SAMPLE_INTERVAL) this.#samples.push({ at, in: stage.in });
    this.told = { ...stage };
    this.#toldAt = at;
    if (stage.state !== 'done' || !this.#ranSinceDone) return false;
    this.#ranSinceDone = false;
    return true;
  }

  /** True while it runs, and for `within` milliseconds after. */
  isRunning(at: number, within: number): boolean {
    return this.told.state === 'running' || (this.told.state === 'waiting' && at - this.#ranAt < within);
  }

  /** Failed stages count too: they want to be seen. */
  hasWork(at: number): boolean {
    const { state, in: received, expected, shards } = this.told;
    return state === 'failed' || this.isRunning(at, SHORT_WAIT) || received > 0 || (expected ?? 0) > 0 || shards.planned > shards.finished;
  }

  finishedLine(): string {
    const { name, unit, in: received, out } = this.told;
    const seconds = this.#runningMs / 1000;
    const rate = seconds > 0 && received > this.#inBefore ? `, ${formatRate((received - this.#inBefore) / seconds)}/s` : '';
    return `${name}: ${counted(received, unit)} in, ${number(out)} out${seconds > 0 ? `, ${formatSeconds(seconds)}${rate}` : ''}`;
  }

  line(at: number): string {
    const { name, unit, in: received, dropped, expected, final } = this.told;
    const items = expected === undefined ? counted(received, unit) : `${number(received)} of ${final ? '' : '~'}${counted(expected, unit)}`;
    const { rate, left } = this.#pace(at);
    return [`${name}: ${items}`, `${number(dropped)} dropped`, rate, left].filter((part) => part !== '').join(', ');
  }

  row(at: number): BarRow {
    const { name, unit, in: received, dropped, expected, final } = this.told;
    const share = shareOf(this.told);
    const guess = expected === undefined ? '' : '~';
    return {
      name,
      share,
      percent: share === undefined ? guess : `${Math.floor(share * 100)}%`,
      count: expected === undefined ? number(received) : `${number(received)}/${final ? '' : '~'}${number(expected)}`,
      unit: nounFor(expected ?? received, unit),
      dropped: `${number(dropped)} dropped`,
      ...this.#pace(at),
      words: this.#words(at),
    };
  }

  /** In place of rate and time left, where the stage is not at work. */
  #words(at: number): string | undefined {
    const { state, waitsFor } = this.told;
    if (state === 'failed') return `failed (${shardsText(this.told)})`;
    if (state !== 'waiting' || this.isRunning(at, SHORT_WAIT)) return undefined;
    return `waits${waitsFor === undefined ? '' : reason(waitsFor)}`;
  }

  /** Items a second of late, and the time left where the end is known. */
  #pace(at: number): { rate: string; left: string } {
    const { in: received, expected, final } = this.told;
    const samples = this.#samples;
    // A stage that counts only now and then has no step within the window: its rate then goes back to the step before.
    while (samples.length > 1 && samples[1]!.at <= at - RATE_WINDOW && samples[1]!.in < received) samples.shift();
    const [from] = samples;
    const rate = at - from!.at < 1000 ? 0 : ((received - from!.in) * 1000) / (at - from!.at);
    const left = rate > 0 && final && expected !== undefined && expected > received;
    return { rate: rate > 0 ? `${formatRate(rate)}/s` : '', left: left ? `${formatSeconds((expected - received) / rate)} left` : '' };
  }
}

/** How much of what will come in has come, where that is certain. */
function shareOf({ in: received, expected, final }: StageProgress): number | undefined {
  if (expected === undefined || !final) return undefined;
  return expected > 0 ? Math.min(1, received / expected) : 1;
}

/** One line for stages that wait, each with what it waits for; empty where there is none. */
export function waitingLine(stages: readonly StageFigures[]): string {
  if (stages.length === 0) return '';
  return `waiting: ${stages.map(({ told }) => `${told.name}${told.waitsFor === undefined ? '' : reason(told.waitsFor)}`).join('; ')}`;
}

/** After "waits" or a stage's name: " for links", ": staging is full". */
function reason(waitsFor: string): string {
  return waitsFor.startsWith('for ') ? ` ${waitsFor}` : `: ${waitsFor}`;
}

export function shardsText({ shards: { finished, planned } }: StageProgress): string {
  return `${number(finished)} of ${counted(planned, 'shards')} finished`;
}

function number(n: number): string {
  return n.toLocaleString('en');
}

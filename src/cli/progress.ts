import { counted, nounFor } from '../contracts/counted.ts';
import type { CommandIo } from './command.ts';
import { BarBlock, type BarRow, cut, layOut } from './progress-bars.ts';

/** Milliseconds between blocks of lines where stderr is no terminal. */
const LINE_INTERVAL = 5_000;
const FRAME_INTERVAL = 200;
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

/** Shows stages that run at the same time: bars on a terminal, lines every few seconds elsewhere. Stages appear in the order in which they are first told. */
export interface Progress {
  /** Tells the new figures of a stage; called often, cheap. */
  update(stage: StageProgress): void;
  /** A line that stays, above the bars. */
  note(line: string): void;
  /** Ends the display: bars are removed, and nothing is printed any more. */
  stop(): void;
}

export function createProgress(io: CommandIo, quiet: boolean): Progress {
  if (quiet) return new NotesOnly(io);
  return io.terminal && io.environment['TERM'] !== 'dumb' ? new BarProgress(io, io.terminal) : new LineProgress(io);
}

class NotesOnly implements Progress {
  readonly #io: CommandIo;
  #stopped = false;

  constructor(io: CommandIo) {
    this.#io = io;
  }

  update(): void {
    // Quiet.
  }

  note(line: string): void {
    if (!this.#stopped) this.#io.err(`${line}\n`);
  }

  stop(): void {
    this.#stopped = true;
  }
}

/** What bars and lines share: the figures, the clock, and the line of a stage that is finished. */
abstract class TimedProgress implements Progress {
  protected readonly stages = new Map<string, StageFigures>();
  protected stopped = false;
  readonly #timer: NodeJS.Timeout;

  constructor(interval: number) {
    this.#timer = setInterval(() => this.show(performance.now()), interval);
    this.#timer.unref();
  }

  abstract note(line: string): void;
  protected abstract show(at: number): void;

  update(stage: StageProgress): void {
    if (this.stopped) return;
    const at = performance.now();
    const known = this.stages.get(stage.name);
    // A stage that was finished before this run has nothing to say.
    if (!known) this.stages.set(stage.name, new StageFigures(stage, at));
    else if (known.tell(stage, at)) this.note(known.finishedLine());
  }

  stop(): void {
    clearInterval(this.#timer);
    this.stopped = true;
  }
}

class LineProgress extends TimedProgress {
  readonly #io: CommandIo;
  #saidWaiting = '';
  #saidFailed = '';

  constructor(io: CommandIo) {
    super(LINE_INTERVAL);
    this.#io = io;
  }

  note(line: string): void {
    if (!this.stopped) this.#io.err(`${line}\n`);
  }

  protected show(at: number): void {
    const stages = [...this.stages.values()];
    const lines = stages.filter((stage) => stage.isRunning(at, LINE_INTERVAL)).map((stage) => stage.line(at));
    const waiting = waitingLine(stages.filter((stage) => stage.told.state === 'waiting' && !stage.isRunning(at, LINE_INTERVAL)));
    if (waiting !== '' && waiting !== this.#saidWaiting) lines.push(waiting);
    const failed = stages.filter(({ told }) => told.state === 'failed').map(({ told }) => `${told.name} (${shards(told)})`);
    const failedLine = failed.length > 0 ? `failed: ${failed.join('; ')}` : '';
    if (failedLine !== '' && failedLine !== this.#saidFailed) lines.push(failedLine);
    [this.#saidWaiting, this.#saidFailed] = [waiting, failedLine];
    if (lines.length > 0) this.note(lines.join('\n'));
  }
}

class BarProgress extends TimedProgress {
  readonly #block: BarBlock;

  constructor(io: CommandIo, terminal: NodeJS.WritableStream) {
    super(FRAME_INTERVAL);
    this.#block = new BarBlock(terminal, io.columns);
  }

  note(line: string): void {
    if (!this.stopped) this.#block.draw(this.#lines(performance.now()), `${line}\n`);
  }

  override stop(): void {
    if (!this.stopped) this.#block.draw([]);
    super.stop();
  }

  protected show(at: number): void {
    this.#block.draw(this.#lines(at));
  }

  /** A line per stage at work, one for all the others that wait, and never more than the terminal has. */
  #lines(at: number): string[] {
    const { columns, rows: room } = this.#block;
    const open = [...this.stages.values()].filter(({ told }) => told.state !== 'done');
    let shown = open.filter((stage) => stage.hasWork(at));
    if (shown.length + 1 > room) shown = shown.filter(({ told }) => told.state !== 'waiting');
    const waiting = open.filter((stage) => !shown.includes(stage));
    const below = waiting.length > 0 ? [cut(waitingLine(waiting), columns)] : [];
    const lines = layOut(
      shown.map((stage) => stage.row(at)),
      columns,
    );
    const left = room - below.length;
    if (lines.length <= left) return [...lines, ...below];
    return [...lines.slice(0, Math.max(0, left - 1)), cut(`… and ${lines.length - Math.max(0, left - 1)} more`, columns), ...below].slice(0, room);
  }
}

/** The figures last told of a stage, and how they moved. */
class StageFigures {
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
    const { name, unit, state, waitsFor, in: received, dropped, expected, final } = this.told;
    const share = expected !== undefined && final ? (expected > 0 ? Math.min(1, received / expected) : 1) : undefined;
    const waits = state === 'waiting' && !this.isRunning(at, SHORT_WAIT);
    return {
      name,
      share,
      percent: share === undefined ? (expected === undefined ? '' : '~') : `${Math.floor(share * 100)}%`,
      count: expected === undefined ? number(received) : `${number(received)}/${final ? '' : '~'}${number(expected)}`,
      unit: nounFor(expected ?? received, unit),
      dropped: `${number(dropped)} dropped`,
      ...this.#pace(at),
      words: state === 'failed' ? `failed (${shards(this.told)})` : waits ? `waits${waitsFor === undefined ? '' : reason(waitsFor)}` : undefined,
    };
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

function waitingLine(stages: readonly StageFigures[]): string {
  if (stages.length === 0) return '';
  return `waiting: ${stages.map(({ told }) => `${told.name}${told.waitsFor === undefined ? '' : reason(told.waitsFor)}`).join('; ')}`;
}

/** After "waits" or a stage's name: " for links", ": staging is full". */
function reason(waitsFor: string): string {
  return waitsFor.startsWith('for ') ? ` ${waitsFor}` : `: ${waitsFor}`;
}

function shards({ shards: { finished, planned } }: StageProgress): string {
  return `${number(finished)} of ${counted(planned, 'shards')} finished`;
}

function number(n: number): string {
  return n.toLocaleString('en');
}

export function formatRate(rate: number): string {
  return Number.isFinite(rate) ? (rate >= 99.95 ? Math.round(rate).toLocaleString('en') : rate.toFixed(1)) : '-';
}

export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  if (seconds < 99.5) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

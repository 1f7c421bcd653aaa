import { SingleBar } from 'cli-progress';
import type { CommandIo } from './command.ts';

/** Milliseconds between lines where stderr is no terminal. */
const LINE_INTERVAL = 5_000;

/** Shows one stage at a time: a bar on a terminal, a line every few seconds elsewhere. */
export interface Progress {
  start(name: string, unit: string, expected: number | undefined): void;
  add(counts: { in?: number | undefined; out?: number | undefined; dropped?: number | undefined }): void;
  /** Ends the stage's display with one line that stays. */
  stop(line: string): void;
  note(line: string): void;
}

export function createProgress(io: CommandIo, quiet: boolean): Progress {
  if (quiet) return { start: () => undefined, add: () => undefined, stop: () => undefined, note: (line) => io.err(`${line}\n`) };
  return io.terminal ? new BarProgress(io, io.terminal) : new LineProgress(io);
}

class LineProgress implements Progress {
  readonly #io: CommandIo;
  #name = '';
  #unit = '';
  #expected: number | undefined;
  #counts = { in: 0, out: 0, dropped: 0 };
  #started = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(io: CommandIo) {
    this.#io = io;
  }

  start(name: string, unit: string, expected: number | undefined): void {
    [this.#name, this.#unit, this.#expected] = [name, unit, expected];
    this.#counts = { in: 0, out: 0, dropped: 0 };
    this.#started = performance.now();
    this.#timer = setInterval(() => this.#line(), LINE_INTERVAL);
    this.#timer.unref();
  }

  add(counts: Parameters<Progress['add']>[0]): void {
    addCounts(this.#counts, counts);
  }

  stop(line: string): void {
    clearInterval(this.#timer);
    this.note(line);
  }

  note(line: string): void {
    this.#io.err(`${line}\n`);
  }

  #line(): void {
    const seconds = (performance.now() - this.#started) / 1000;
    const rate = this.#counts.in / seconds;
    const left = this.#expected && rate > 0 ? `, ${formatSeconds(Math.max(0, this.#expected - this.#counts.in) / rate)} left` : '';
    const share = this.#expected ? ` of ${this.#expected}` : '';
    this.note(`${this.#name}: ${this.#counts.in}${share} ${this.#unit}, ${this.#counts.dropped} dropped, ${formatRate(rate)}/s${left}`);
  }
}

class BarProgress implements Progress {
  readonly #io: CommandIo;
  readonly #terminal: NodeJS.WritableStream;
  #bar: SingleBar | undefined;
  #counts = { in: 0, out: 0, dropped: 0 };
  #expected: number | undefined;
  #started = 0;

  constructor(io: CommandIo, terminal: NodeJS.WritableStream) {
    this.#io = io;
    this.#terminal = terminal;
  }

  start(name: string, unit: string, expected: number | undefined): void {
    this.#counts = { in: 0, out: 0, dropped: 0 };
    this.#expected = expected;
    this.#started = performance.now();
    const total = expected ? '{bar} {percentage}% | {value}/{total}' : '{value}';
    const width = Math.max(10, Math.min(30, this.#io.columns - 80));
    this.#bar = new SingleBar({
      format: `${name.padEnd(9)} ${total} ${unit} | {dropped} dropped | {rate}/s${expected ? ' | {left} left' : ''}`,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: width,
      hideCursor: true,
      clearOnComplete: true,
      fps: 5,
      stream: this.#terminal,
    });
    this.#bar.start(expected ?? 1, 0, { dropped: 0, rate: '-', left: '-' });
  }

  add(counts: Parameters<Progress['add']>[0]): void {
    addCounts(this.#counts, counts);
    const rate = this.#counts.in / ((performance.now() - this.#started) / 1000);
    const left = this.#expected ? formatSeconds(Math.max(0, this.#expected - this.#counts.in) / rate) : '';
    this.#bar?.update(this.#counts.in, { dropped: this.#counts.dropped, rate: formatRate(rate), left });
  }

  stop(line: string): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.note(line);
  }

  note(line: string): void {
    this.#io.err(`${line}\n`);
  }
}

function addCounts(sum: { in: number; out: number; dropped: number }, counts: Parameters<Progress['add']>[0]): void {
  sum.in += counts.in ?? 0;
  sum.out += counts.out ?? 0;
  sum.dropped += counts.dropped ?? 0;
}

export function formatRate(rate: number): string {
  return Number.isFinite(rate) ? (rate >= 100 ? Math.round(rate).toLocaleString('en') : rate.toFixed(1)) : '-';
}

export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  if (seconds < 100) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CommandIo } from '../../src/cli/command.ts';
import { formatRate, formatSeconds } from '../../src/cli/number-text.ts';
import { createProgress, type Progress } from '../../src/cli/progress.ts';
import type { StageProgress } from '../../src/cli/stage-figures.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** As much of a terminal as the block needs: lines break at the last column, the screen scrolls. */
class Screen extends Writable {
  columns: number;
  rows: number;
  readonly isTTY = true;
  writes = 0;
  lines: string[] = [''];
  /** A line that was longer than the terminal is wide. */
  wrapped = false;
  #row = 0;
  #column = 0;

  constructor(columns: number, rows = 24) {
    super({ decodeStrings: false });
    [this.columns, this.rows] = [columns, rows];
  }

  override _write(text: string, _encoding: string, done: () => void): void {
    this.writes += 1;
    for (const [token] of text.matchAll(/\u001B\[(\d*)([A-Z])|[^]/gu)) {
      const line = this.lines[this.#row]!;
      if (token === '\r') this.#column = 0;
      else if (token === '\n') this.#down();
      else if (token === '\u001B[K') this.lines[this.#row] = line.slice(0, this.#column);
      else if (token === '\u001B[B') this.#row = Math.min(this.lines.length - 1, this.#row + 1);
      // What has scrolled off can't be reached.
      else if (token.endsWith('A') && token.length > 1) this.#row = Math.max(this.lines.length - this.rows, 0, this.#row - Number(token.slice(2, -1)));
      else {
        if (this.#column === this.columns) {
          this.wrapped = true;
          this.#down();
        }
        const at = this.lines[this.#row]!.padEnd(this.#column);
        this.lines[this.#row] = at.slice(0, this.#column) + token + at.slice(this.#column + 1);
        this.#column += 1;
      }
    }
    done();
  }

  /** Breaks long lines as terminals do when their window becomes narrower. */
  resize(columns: number): void {
    const broken = this.lines.map((line) => line.match(new RegExp(`.{1,${columns}}`, 'g')) ?? ['']);
    this.#row = broken.slice(0, this.#row).flat().length;
    [this.columns, this.lines] = [columns, broken.flat()];
  }

  #down(): void {
    this.#column = 0;
    this.#row += 1;
    if (this.#row === this.lines.length) this.lines.push('');
  }

  /** All lines that are not empty, those that have scrolled off too. */
  get shown(): string[] {
    return this.lines.filter((line) => line !== '');
  }
}

interface Shown {
  progress: Progress;
  said: string[];
}

function plain({ quiet = false } = {}): Shown {
  const said: string[] = [];
  return {
    progress: createProgress(
      ioOf(undefined, (text) => said.push(text)),
      quiet,
    ),
    said,
  };
}

function onScreen(columns: number, rows?: number): { progress: Progress; screen: Screen } {
  const screen = new Screen(columns, rows);
  return {
    progress: createProgress(
      ioOf(screen, () => expect.unreachable()),
      false,
    ),
    screen,
  };
}

function ioOf(terminal: Screen | undefined, err: (text: string) => void): CommandIo {
  return { out: () => expect.unreachable(), err, terminal, columns: 100, signal: new AbortController().signal, environment: {} };
}

const stage = (name: string, more: Partial<StageProgress> = {}): StageProgress => ({
  name,
  unit: 'links',
  state: 'running',
  in: 0,
  out: 0,
  dropped: 0,
  shards: { finished: 0, running: 1, planned: 1 },
  ...more,
});
const waiting = (name: string, waitsFor: string, more: Partial<StageProgress> = {}): StageProgress =>
  stage(name, { state: 'waiting', waitsFor, shards: { finished: 0, running: 0, planned: 0 }, ...more });

/** `perSecond` items come in each second, told ten times a second. */
function runFor(seconds: number, perSecond: number, progress: Progress, from: StageProgress): StageProgress {
  let now = from;
  for (let i = 1; i <= seconds * 10; i++) {
    vi.advanceTimersByTime(99);
    now = { ...from, in: Math.round(from.in + (i * perSecond) / 10) };
    progress.update(now);
    vi.advanceTimersByTime(1);
  }
  return now;
}

describe('lines', () => {
  test('every five seconds one block, a line per running stage, what waits once', () => {
    const { progress, said } = plain();
    progress.update(stage('extract', { in: 1 }));
    progress.update(waiting('embed', 'for pairs'));
    progress.update(waiting('draw', 'staging is full (10,000,000 links)'));
    const download = runFor(4.9, 400, progress, stage('download', { unit: 'samples', expected: 10_000, final: true, dropped: 1200 }));
    expect(said).toEqual([]);
    runFor(0.1, 400, progress, download);
    const block = ['extract: 1 link, 0 dropped', 'download: 2,000 of 10,000 samples, 1,200 dropped, 400/s, 20 s left'];
    expect(said).toEqual([`${[...block, 'waiting: embed for pairs; draw: staging is full (10,000,000 links)'].join('\n')}\n`]);
    vi.advanceTimersByTime(5000);
    expect(said[1]).toMatch(/^extract: .*\ndownload: .*\n$/);
    progress.update(stage('embed'));
    vi.advanceTimersByTime(5000);
    expect(said[2]!.trim().split('\n').toSpliced(0, 1)).toEqual([
      'embed: 0 links, 0 dropped',
      expect.stringMatching(/^download: /),
      'waiting: draw: staging is full (10,000,000 links)',
    ]);
    progress.stop();
  });

  test('where the expected number still grows there is no time left', () => {
    const { progress, said } = plain();
    runFor(5, 100, progress, stage('filter', { expected: 10_000, final: false }));
    expect(said).toEqual(['filter: 500 of ~10,000 links, 0 dropped, 100/s\n']);
    progress.stop();
  });

  test('a finished stage says so at once and once, with the time that it ran', () => {
    const { progress, said } = plain();
    progress.update(waiting('extract', 'for a free worker'));
    vi.advanceTimersByTime(3000);
    progress.update(stage('extract'));
    vi.advanceTimersByTime(4000);
    progress.update(waiting('extract', 'for a free worker', { in: 4000, out: 3900 }));
    vi.advanceTimersByTime(5000);
    progress.update(stage('extract', { in: 4000, out: 3900 }));
    vi.advanceTimersByTime(8000);
    said.length = 0;
    const end = stage('extract', { state: 'done', in: 20_000, out: 18_000 });
    progress.update(end);
    progress.update(end);
    expect(said).toEqual(['extract: 20,000 links in, 18,000 out, 12 s, 1,667/s\n']);
    vi.advanceTimersByTime(20_000);
    expect(said).toHaveLength(1);
    // Its input grew after all.
    progress.update(stage('extract', { in: 20_000, out: 18_000 }));
    progress.update({ ...end, in: 20_001, out: 18_001 });
    expect(said[1]).toBe('extract: 20,001 links in, 18,001 out, 12 s, 1,667/s\n');
    progress.stop();
  });

  test('a stage that was finished before says nothing; a failed one once, and when it changes', () => {
    const { progress, said } = plain();
    progress.update(stage('extract', { state: 'done' }));
    progress.update(stage('extract', { state: 'done' }));
    const failed = (finished: number): StageProgress => stage('dedup', { state: 'failed', shards: { finished, running: 0, planned: 5 } });
    progress.update(failed(3));
    vi.advanceTimersByTime(10_000);
    expect(said).toEqual(['failed: dedup (3 of 5 shards finished)\n']);
    progress.update(failed(4));
    vi.advanceTimersByTime(5000);
    expect(said.slice(1)).toEqual(['failed: dedup (4 of 5 shards finished)\n']);
    progress.stop();
  });

  test('the rate is that of the last ten seconds, falls when nothing comes, and forgets a failed try', () => {
    const { progress, said } = plain();
    const rate = (): string | undefined => /[\d,.]+\/s/.exec(said.at(-1)!)?.[0];
    let now = runFor(60, 1000, progress, stage('extract'));
    expect(rate()).toBe('1,000/s');
    now = runFor(15, 50, progress, now);
    expect(rate()).toBe('50.0/s');
    vi.advanceTimersByTime(90_000);
    expect(Number.parseFloat(rate()!)).toBeLessThan(5);
    now = runFor(5, 200, progress, { ...now, in: 100 });
    expect(rate()).toBe('200/s');
    progress.stop();
  });

  test('a stage that counts once in twenty seconds has a rate', () => {
    const { progress, said } = plain();
    const step = (n: number): void => {
      progress.update(stage('embed', { in: n * 1000, expected: 100_000, final: true }));
      vi.advanceTimersByTime(20_000);
    };
    for (let n = 0; n < 5; n++) step(n);
    progress.update(stage('embed', { in: 5000, expected: 100_000, final: true }));
    vi.advanceTimersByTime(5000);
    // 2,000 items since the step before the last, 25 s ago.
    expect(said.at(-1)).toBe('embed: 5,000 of 100,000 links, 0 dropped, 40.0/s, 40 min left\n');
    progress.stop();
  });

  test('notes pass; nothing is said after the end', () => {
    for (const quiet of [false, true]) {
      const { progress, said } = plain({ quiet });
      progress.update(stage('extract'));
      progress.note('a warning');
      progress.stop();
      progress.stop();
      progress.note('late');
      progress.update(stage('extract', { state: 'done', in: 10 }));
      vi.advanceTimersByTime(60_000);
      expect(said).toEqual(['a warning\n']);
      expect(vi.getTimerCount()).toBe(0);
    }
  });

  test('quiet: only notes', () => {
    const { progress, said } = plain({ quiet: true });
    progress.update(stage('extract'));
    vi.advanceTimersByTime(60_000);
    progress.update(stage('extract', { state: 'done', in: 10 }));
    expect(said).toEqual([]);
  });
});

describe('bars', () => {
  /** Stages in every state, as in the middle of a run. */
  function busy(progress: Progress): void {
    progress.update(stage('ingest', { in: 0, expected: 18_000, final: false }));
    progress.update(waiting('draw', 'staging is full (10,000,000 links)', { in: 40_000, expected: 50_000 }));
    progress.update(stage('filter', { unit: 'samples', state: 'failed', in: 900, expected: 2000, shards: { finished: 2, running: 0, planned: 5 } }));
    progress.update(waiting('embed', 'for pairs'));
    progress.update(waiting('index', 'for release'));
    runFor(10, 320, progress, stage('download', { unit: 'samples', expected: 10_000, final: true, dropped: 120 }));
  }

  test('a line per stage at work, one for what waits; none at the end', () => {
    const { progress, screen } = onScreen(120);
    busy(progress);
    expect(screen.shown).toEqual([
      'ingest                                ~       0/~18,000 links      0 dropped',
      'draw                                  ~  40,000/~50,000 links      0 dropped  waits: staging is full (10,000,000 links)',
      'filter                                ~      900/~2,000 samples    0 dropped  failed (2 of 5 shards finished)',
      'download  ████████░░░░░░░░░░░░░░░░░ 32%    3,200/10,000 samples  120 dropped  320/s  21 s left',
      'waiting: embed for pairs; index for release',
    ]);
    progress.stop();
    const { writes } = screen;
    progress.note('late');
    progress.update(stage('ingest', { state: 'done', in: 10 }));
    vi.advanceTimersByTime(60_000);
    expect([screen.shown, screen.writes, vi.getTimerCount()]).toEqual([[], writes, 0]);
  });

  test('a stage that waits a moment between two shards is not said to wait', () => {
    const { progress, screen } = onScreen(80);
    progress.update(stage('ingest', { in: 5 }));
    progress.update(waiting('ingest', 'for links', { in: 5 }));
    vi.advanceTimersByTime(800);
    expect(screen.shown.join('')).not.toContain('wait');
    vi.advanceTimersByTime(400);
    expect(screen.shown).toEqual(['ingest  5 links  0 dropped  waits for links']);
    progress.stop();
  });

  test('what stays is above, and all bars are there below, changed or not', () => {
    const { progress, screen } = onScreen(80);
    progress.update(stage('extract'));
    progress.update(stage('dedup'));
    vi.advanceTimersByTime(4000);
    progress.note('a warning that is much longer than the line of the stage that was in its place');
    progress.update(stage('extract', { state: 'done', in: 4000, out: 3000 }));
    const above = ['a warning that is much longer than the line of the stage that was in its place', 'extract: 4,000 links in, 3,000 out, 4.0 s, 1,000/s'];
    expect(screen.shown).toEqual([...above, 'dedup  0 links  0 dropped']);
    const { writes } = screen;
    vi.advanceTimersByTime(60_000);
    expect(screen.writes).toBe(writes);
    progress.stop();
    expect(screen.shown).toEqual(above);
  });

  test('more stages than rows: those that run come first, the rest is counted', () => {
    const { progress, screen } = onScreen(80, 6);
    for (let i = 0; i < 4; i++) progress.update(waiting(`waiting${i}`, 'for links', { in: 1 }));
    for (let i = 0; i < 8; i++) runFor(1, 10, progress, stage(`running${i}`));
    progress.note('a note');
    expect(screen.lines).toHaveLength(7);
    expect(screen.shown.map((line) => line.slice(0, 30))).toEqual([
      'a note',
      ...[0, 1, 2].map((i) => expect.stringContaining(`running${i}  10 links`)),
      '… and 5 more',
      expect.stringMatching(/^waiting: waiting0 for links; /),
    ]);
    progress.stop();
    expect(screen.shown).toEqual(['a note']);
  });

  test('a window that becomes narrower and wider leaves no ghosts', () => {
    const { progress, screen } = onScreen(120, 50);
    busy(progress);
    for (const columns of [50, 120, 30, 100]) {
      screen.resize(columns);
      vi.advanceTimersByTime(200);
      expect(screen.shown).toHaveLength(5);
      expect(screen.shown.map((line) => line.slice(0, 4))).toEqual(['inge', 'draw', 'filt', 'down', 'wait']);
    }
    progress.stop();
    expect([screen.shown, screen.wrapped]).toEqual([[], false]);
  });

  test.each([20, 40, 60, 80, 120, 200])('no line is broken at %i columns', (columns) => {
    const { progress, screen } = onScreen(columns);
    busy(progress);
    expect(screen.wrapped).toBe(false);
    expect(Math.max(...screen.shown.map((line) => line.length))).toBeLessThan(columns);
    expect(screen.shown.filter((line) => line.startsWith('download'))).toHaveLength(1);
    progress.stop();
  });
});

test('rates and times', () => {
  expect([0.26, 99.94, 99.96, 1600.4, Number.NaN].map(formatRate)).toEqual(['0.3', '99.9', '100', '1,600', '-']);
  expect([1.26, 9.97, 22, 120, 9000, Infinity].map(formatSeconds)).toEqual(['1.3 s', '10 s', '22 s', '2 min', '2.5 h', '-']);
});

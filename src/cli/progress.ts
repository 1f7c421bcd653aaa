import type { CommandIo } from './command.ts';
import { BarBlock, cut, layOut } from './progress-bars.ts';
import { shardsText, StageFigures, type StageProgress, waitingLine } from './stage-figures.ts';

/** Milliseconds between blocks of lines where stderr is no terminal. */
const LINE_INTERVAL = 5_000;
const FRAME_INTERVAL = 200;

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
    const failed = stages.filter(({ told }) => told.state === 'failed').map(({ told }) => `${told.name} (${shardsText(told)})`);
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

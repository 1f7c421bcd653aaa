/** A terminal, or a stream that stands in for one. */
export interface BlockTerminal {
  write(text: string): unknown;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** What a line of the block says. Cells stand under each other; the bar takes the columns that are left. */
export interface BarRow {
  name: string;
  /** Between 0 and 1, where it is certain. */
  share: number | undefined;
  percent: string;
  count: string;
  unit: string;
  dropped: string;
  rate: string;
  left: string;
  /** Words in place of rate and time left. */
  words?: string | undefined;
}

type Cell = Exclude<keyof BarRow, 'share' | 'words'> | 'bar';

/** From rich to poor: the first that the width holds is taken, by all rows alike. */
const LAYOUTS: readonly (readonly Cell[])[] = [
  ['name', 'bar', 'percent', 'count', 'unit', 'dropped', 'rate', 'left'],
  ['name', 'bar', 'percent', 'count', 'dropped', 'rate', 'left'],
  ['name', 'percent', 'count', 'dropped', 'rate', 'left'],
  ['name', 'percent', 'count', 'rate', 'left'],
  ['name', 'percent', 'rate', 'left'],
];
const MIN_BAR = 8;
const MAX_BAR = 30;
/** Longer words are cut before a cell is left out for them. */
const WORDS_KEPT = 18;

/** Rows as lines of at most `columns` characters. */
export function layOut(rows: readonly BarRow[], columns: number): string[] {
  const widths = new Map<Cell, number>([['bar', rows.some(({ share }) => share !== undefined) ? MIN_BAR : 0]]);
  for (const cell of LAYOUTS[0]!) if (cell !== 'bar') widths.set(cell, Math.max(0, ...rows.map((row) => row[cell].length)));
  const words = Math.max(0, ...rows.map((row) => row.words?.length ?? 0));
  /** Columns that a layout takes where `words` columns of words are to be seen. */
  const width = (cells: readonly Cell[], words: number): number => {
    const sum = (of: readonly Cell[]): number => of.reduce((total, cell) => total + (widths.get(cell)! > 0 ? gap(cell) + widths.get(cell)! : 0), 0);
    return sum(cells.filter((cell) => !isPace(cell))) + Math.max(sum(cells.filter(isPace)), words > 0 ? 2 + words : 0);
  };
  const cells = LAYOUTS.find((layout) => width(layout, Math.min(words, WORDS_KEPT)) <= columns) ?? LAYOUTS.at(-1)!;
  if (cells.includes('bar') && widths.get('bar')! > 0) widths.set('bar', Math.max(MIN_BAR, Math.min(MAX_BAR, MIN_BAR + columns - width(cells, words))));
  return rows.map((row) => {
    let line = '';
    for (const cell of cells) {
      const size = widths.get(cell)!;
      if (size === 0 || (isPace(cell) && row.words !== undefined)) continue;
      const text = cell === 'bar' ? bar(row.share, size) : row[cell];
      line += ' '.repeat(gap(cell)) + (cell === 'name' || cell === 'unit' ? text.padEnd(size) : text.padStart(size));
    }
    return cut(row.words === undefined ? line : `${line}  ${row.words}`, columns);
  });
}

export function cut(line: string, columns: number): string {
  const text = line.trimEnd();
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1)).trimEnd()}…`;
}

function isPace(cell: Cell): boolean {
  return cell === 'rate' || cell === 'left';
}

function gap(cell: Cell): number {
  return cell === 'name' ? 0 : cell === 'percent' || cell === 'unit' ? 1 : 2;
}

function bar(share: number | undefined, width: number): string {
  if (share === undefined) return ' '.repeat(width);
  const full = Math.floor(share * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

/**
 * Lines at the bottom of a terminal that are drawn again in place. Not cli-progress's MultiBar, which after a line above its bars
 * draws only those that have changed (the others are gone), repeats itself down the screen where it has more bars than rows, and
 * leaves ghosts when the window becomes narrower. The cursor stays visible, below the block: a process that is killed leaves the
 * terminal as it was, and a "^C" is overwritten.
 */
export class BarBlock {
  readonly #terminal: BlockTerminal;
  readonly #columns: number;
  #drawn: readonly string[] = [];
  #drawnColumns = 0;

  constructor(terminal: BlockTerminal, columns: number) {
    this.#terminal = terminal;
    this.#columns = columns;
  }

  /** Columns that a line may have: one fewer than there are, as terminals differ in what a full line does to the cursor. */
  get columns(): number {
    return Math.max(1, (this.#terminal.columns || this.#columns) - 1);
  }

  /** Lines that the block may have; the cursor needs one. */
  get rows(): number {
    return Math.max(1, (this.#terminal.rows || 24) - 1);
  }

  /** Draws `lines` in place of those drawn before, below `notes`, which stay. */
  draw(lines: readonly string[], notes = ''): void {
    const { columns } = this;
    if (notes === '' && columns === this.#drawnColumns && lines.length === this.#drawn.length && lines.every((line, i) => line === this.#drawn[i])) return;
    const rows = this.#height();
    const back = rows > 0 ? `\r\u001B[${rows}A` : '';
    // Lines are overwritten where they fit over those before: no flicker. Else row by row: tmux keeps what "erase all below" took.
    const over = notes === '' && columns === this.#drawnColumns && lines.length >= rows;
    const erase = over || rows === 0 ? '' : `${'\u001B[K\u001B[B'.repeat(rows)}\u001B[K${back}`;
    this.#terminal.write(`${back}${erase}${notes}${lines.map((line) => `${line}\u001B[K\n`).join('')}`);
    [this.#drawn, this.#drawnColumns] = [lines, columns];
  }

  /** Rows from the first line drawn to the cursor. A terminal that became narrower has broken the lines anew. */
  #height(): number {
    const columns = this.columns + 1;
    const rows = this.#drawn.reduce((total, line) => total + Math.max(1, Math.ceil(line.length / columns)), 0);
    return Math.min(rows, this.rows);
  }
}

import { readdirSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';

/** `npm run bench -- NAME [options]`: runs bench/NAME.ts, prints its table and, as the last line, its ratios as JSON. */

/** What a bench measured. Times differ from machine to machine; the ratios between two ways on one machine say more. */
export interface BenchResult {
  title: string;
  rows: Record<string, string | number>[];
  /** Further tables. */
  more?: { title: string; rows: Record<string, string | number>[] }[];
  ratios: Record<string, number>;
  /** What was not measured because something is not on this machine, and how to get it. */
  missing?: string[];
}

interface Bench {
  run(args: string[]): Promise<BenchResult>;
}

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -'.ts'.length))
  .sort();

const [name, ...args] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  console.error(
    `${name === undefined ? 'Which bench?' : `There is no bench ${name}.`} npm run bench -- NAME, with NAME one of: ${names.join(', ') || '(none yet)'}`,
  );
  process.exit(name === undefined ? 0 : 2);
}

const bench = (await import(join(import.meta.dirname, `${name}.ts`))) as Bench;
const { title, rows, more = [], ratios, missing = [] } = await bench.run(args);
console.log(
  `${title}\n${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} CPUs, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}\n`,
);
if (rows.length > 0) console.log(markdownTable(rows));
for (const table of more) console.log(`${table.title}\n\n${markdownTable(table.rows)}`);
for (const line of missing) console.log(`Not measured: ${line}`);
console.log(JSON.stringify({ bench: name, ratios }));

/** Columns in the order in which the rows first name them; numbers to the right, as Markdown so that docs can hold it. */
function markdownTable(rows: BenchResult['rows']): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const numeric = (column: string): boolean => rows.every((row) => typeof (row[column] ?? 0) === 'number');
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, i) => Math.max(3, ...lines.map((line) => line[i]!.length)));
  const text = lines.map((line) => `| ${line.map((value, i) => (numeric(columns[i]!) ? value.padStart(widths[i]!) : value.padEnd(widths[i]!))).join(' | ')} |`);
  const rule = `| ${columns.map((column, i) => (numeric(column) ? `${'-'.repeat(widths[i]! - 1)}:` : '-'.repeat(widths[i]!))).join(' | ')} |`;
  return `${[text[0], rule, ...text.slice(1)].join('\n')}\n`;
}

function cell(value: string | number | undefined): string {
  if (typeof value !== 'number') return value ?? '';
  return Number.isInteger(value) || Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US').replaceAll(',', ' ') : value.toPrecision(3);
}

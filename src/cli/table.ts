import type { StageSummary } from '../contracts/shard-stats.ts';
import { formatRate } from './number-text.ts';

/** Rows as a text table: the first column left, numbers right. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[], left: readonly number[] = [0]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (left.includes(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [line(header), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

/** The table that ends a run: in, out, dropped by reason, seconds, items/s per stage. */
export function renderSummary(stages: readonly StageSummary[]): string {
  const rows: string[][] = [];
  for (const { name, in: received, out, dropped, seconds } of stages) {
    const reasons = Object.entries(dropped).map(([reason, n]) => `${n.toLocaleString('en')} ${reason}`);
    rows.push([name, received.toLocaleString('en'), out.toLocaleString('en'), seconds.toFixed(1), formatRate(received / seconds), reasons.shift() ?? '']);
    for (const reason of reasons) rows.push(['', '', '', '', '', reason]);
  }
  return renderTable(['stage', 'in', 'out', 'seconds', 'items/s', 'dropped'], rows, [0, 5]);
}

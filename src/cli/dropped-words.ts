import { type Dropped, dropReasons } from '../contracts/drop-reason.ts';

/** Reasons that are named; the others are summed up. */
const MAX_REASONS = 4;

/** What was dropped, the most frequent reason first: "198 private-address (the host is …), 2 dns-failed (…)". */
export function droppedWords(stage: string, dropped: Dropped, meanings = true): string {
  const known: Readonly<Record<string, string>> = (dropReasons as Record<string, Record<string, string>>)[stage] ?? {};
  const reasons = Object.entries(dropped).sort(([, a], [, b]) => b - a);
  const words = reasons.slice(0, MAX_REASONS).map(([reason, n]) => {
    const meaning = meanings ? known[reason] : undefined;
    return `${n.toLocaleString('en')} ${reason}${meaning === undefined ? '' : ` (${meaning})`}`;
  });
  const others = reasons.slice(MAX_REASONS).reduce((sum, [, n]) => sum + n, 0);
  return [...words, ...(others > 0 ? [`${others.toLocaleString('en')} for other reasons`] : [])].join(', ');
}

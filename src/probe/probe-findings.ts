import { type SetName, setNames } from '../contracts/records.ts';
import { type Thresholds, thresholdFor } from '../stages/filter/thresholds.ts';
import type { ProbedRow } from './probe-samples.ts';
import { correlation, quantile, type ScoreStatistics, statisticsOf } from './score-statistics.ts';

/** What a filter by itself would drop. */
export interface FilterFinding {
  filter: string;
  /** From where on, in words. */
  at: string;
  /** Samples it would drop. */
  drops: number;
  /** Samples that it alone would drop. */
  onlyIt: number;
}

export interface KeptShares {
  thresholds: number[];
  /** Shares kept at each threshold, by language (most frequent first), and of all. */
  groups: { group: string; n: number; shares: number[] }[];
}

export interface ProbeFindings {
  samples: number;
  of: number;
  seed: number;
  models: Record<string, string>;
  scores: Record<string, ScoreStatistics>;
  correlations: { names: string[]; matrix: (number | null)[][] };
  nsfw: Record<string, number>;
  filters: FilterFinding[];
  kept: KeptShares;
  suggested: { percentile: number; thresholds: Partial<Record<SetName, number>>; languages: Record<string, number> };
}

/** LAION's recommended thresholds of its tags. */
const TAG_RULES: Readonly<Record<string, { drops: (value: number) => boolean; at: string }>> = {
  punsafe: { drops: (value) => value > 0.5, at: 'above 0.5' },
  pwatermark: { drops: (value) => value > 0.8, at: 'above 0.8' },
  aesthetic: { drops: (value) => value < 4.5, at: 'below 4.5' },
};
/** A language needs as many samples for a threshold of its own. */
const MIN_OF_LANGUAGE = 50;
const MAX_LANGUAGES = 12;

/** All figures of a probe from its rows. `percentile`: the share in % that the suggested thresholds drop. */
export function findingsOf(
  rows: readonly ProbedRow[],
  { of, seed, models, thresholds, percentile }: { of: number; seed: number; models: Record<string, string>; thresholds: Thresholds; percentile: number },
): ProbeFindings {
  const names = [...new Set(rows.flatMap(({ scores }) => Object.keys(scores)))];
  const values = (name: string): (number | null)[] => rows.map(({ scores }) => scores[name] ?? null);
  const scores = Object.fromEntries(
    names.flatMap((name) => {
      const statistics = statisticsOf(values(name).filter((value) => value !== null));
      return statistics ? [[name, statistics]] : [];
    }),
  );
  const known = names.filter((name) => name in scores);
  return {
    samples: rows.length,
    of,
    seed,
    models,
    scores,
    correlations: { names: known, matrix: known.map((a) => known.map((b) => correlation(values(a), values(b)))) },
    nsfw: countsOf(rows.map(({ NSFW }) => NSFW ?? 'none')),
    filters: filterFindings(rows, thresholds),
    kept: keptShares(rows),
    suggested: suggestion(rows, percentile),
  };
}

function filterFindings(rows: readonly ProbedRow[], thresholds: Thresholds): FilterFinding[] {
  const { sets } = thresholds;
  const similarity = ({ scores, language }: ProbedRow): boolean => (scores['similarity'] ?? Number.POSITIVE_INFINITY) < thresholdFor(thresholds, language);
  const filters: { filter: string; at: string; drops: (row: ProbedRow) => boolean }[] = [
    { filter: 'similarity', at: setNames.map((set) => `${set} ${sets[set].toFixed(3)}`).join(', '), drops: similarity },
    ...['decode-failed', 'text-failed', 'unlawful-underage', 'unlawful-animal'].map((reason) => ({
      filter: reason,
      at: 'always',
      drops: (row: ProbedRow) => row.reason === reason,
    })),
    ...Object.entries(TAG_RULES).map(([name, { drops, at }]) => ({
      filter: `tag ${name}`,
      at: `${at} (filter keeps it)`,
      drops: ({ scores }: ProbedRow) => scores[name] !== null && scores[name] !== undefined && drops(scores[name]),
    })),
  ];
  const dropped = filters.map(({ drops }) => rows.map(drops));
  return filters
    .map(({ filter, at }, f) => ({
      filter,
      at,
      drops: dropped[f]!.filter(Boolean).length,
      onlyIt: rows.filter((_, i) => dropped[f]![i] && dropped.every((others, g) => g === f || !others[i])).length,
    }))
    .filter(({ filter, drops }) => filter === 'similarity' || drops > 0);
}

function keptShares(rows: readonly ProbedRow[]): KeptShares {
  const scored = rows.flatMap(({ language, set, scores }) =>
    scores['similarity'] === null || scores['similarity'] === undefined ? [] : [{ language, set, similarity: scores['similarity'] }],
  );
  const sorted = scored.map(({ similarity }) => similarity).sort((a, b) => a - b);
  if (sorted.length === 0) return { thresholds: [], groups: [] };
  const [first, last] = [Math.floor(quantile(sorted, 0.01) / 0.02), Math.ceil(quantile(sorted, 0.99) / 0.02)];
  const step = Math.max(1, Math.ceil((last - first) / 16));
  const thresholds = Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => Math.round((first + i * step) * 2) / 100);
  const groups = new Map<string, number[]>([['all', sorted]]);
  for (const set of setNames)
    groups.set(
      `set ${set}`,
      scored.filter((each) => each.set === set).map(({ similarity }) => similarity),
    );
  for (const language of frequent(scored.map((each) => each.language)).slice(0, MAX_LANGUAGES))
    if (language !== '')
      groups.set(
        language,
        scored.filter((each) => each.language === language).map(({ similarity }) => similarity),
      );
  return {
    thresholds,
    groups: [...groups]
      .filter(([, values]) => values.length > 0)
      .map(([group, values]) => ({
        group,
        n: values.length,
        shares: thresholds.map((threshold) => values.filter((value) => value >= threshold).length / values.length),
      })),
  };
}

/** The similarity below which `percentile` % lie: of each set, and of each language of the set multi with enough samples. */
function suggestion(rows: readonly ProbedRow[], percentile: number): ProbeFindings['suggested'] {
  const of = (keeps: (row: ProbedRow) => boolean): number[] =>
    rows.flatMap((row) => (keeps(row) && typeof row.scores['similarity'] === 'number' ? [row.scores['similarity']] : [])).sort((a, b) => a - b);
  // Rounded down: the sample that lies there is kept.
  const at = (sorted: readonly number[]): number => Math.floor(quantile(sorted, percentile / 100) * 10_000) / 10_000;
  const sets = setNames.map((set) => [set, of((row) => row.set === set)] as const).filter(([, sorted]) => sorted.length > 0);
  const languages = frequent(rows.filter(({ set }) => set === 'multi').map(({ language }) => language))
    .map((language) => [language, of((row) => row.language === language)] as const)
    .filter(([, sorted]) => sorted.length >= MIN_OF_LANGUAGE);
  return {
    percentile,
    thresholds: Object.fromEntries(sets.map(([set, sorted]) => [set, at(sorted)])),
    languages: Object.fromEntries(languages.map(([language, sorted]) => [language, at(sorted)])),
  };
}

/** The most frequent first; of equal ones by name. */
function frequent(items: readonly string[]): string[] {
  return Object.entries(countsOf(items))
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .map(([item]) => item);
}

function countsOf(items: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[item] = (counts[item] ?? 0) + 1;
  return counts;
}

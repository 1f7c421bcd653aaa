import { z } from 'zod';
import type { SealRecord } from '../../contracts/dataset.ts';
import { type SetName, setNames, setOfLanguage } from '../../contracts/records.ts';
import { SimilarityHistogram, SparseCounts } from '../../contracts/similarity-histogram.ts';

/** Bins of 0.01: what a marker holds is read at every start of a run. */
const PER_UNIT = 100;

const Counts = z.object({ kept: SparseCounts, dropped: SparseCounts });
/** The key `similarity` of a marker of pairs/, and of its seal: how many were kept and dropped, by set and similarity. */
export const Similarities = z.object({ bins_per_unit: z.int(), en: Counts, multi: Counts, nolang: Counts });
export type Similarities = z.infer<typeof Similarities>;

/** Histograms of what was kept and of what was dropped, by set. */
export class SimilarityCounts {
  readonly #bySet = Object.fromEntries(
    setNames.map((set) => [set, { kept: new SimilarityHistogram(PER_UNIT), dropped: new SimilarityHistogram(PER_UNIT) }]),
  ) as Record<SetName, Record<'kept' | 'dropped', SimilarityHistogram>>;

  add(language: string, similarity: number, kept: boolean): void {
    this.#bySet[setOfLanguage(language)][kept ? 'kept' : 'dropped'].add(similarity);
  }

  addAll(other: Similarities): void {
    for (const set of setNames) {
      this.#bySet[set].kept.addAll(other[set].kept);
      this.#bySet[set].dropped.addAll(other[set].dropped);
    }
  }

  toJSON(): Similarities {
    const counts = (set: SetName) => ({ kept: this.#bySet[set].kept.sparse(), dropped: this.#bySet[set].dropped.sparse() });
    return { bins_per_unit: PER_UNIT, en: counts('en'), multi: counts('multi'), nolang: counts('nolang') };
  }
}

const BARS = '▁▂▃▄▅▆▇█';
/** Bins of the histogram in a character: one is 0.02 wide. */
const BINS_A_CHARACTER = 2;

/** A line for each set that has samples: how their similarities lie, those dropped in grey blocks under the kept. */
export function similarityLines(record: SealRecord): string[] {
  const parsed = Similarities.safeParse(record['similarity']);
  if (!parsed.success) return [];
  return setNames.flatMap((set) => {
    const { kept, dropped } = parsed.data[set];
    const [n, lost] = [sum(kept), sum(dropped)];
    if (n + lost === 0) return [];
    const share = `${((100 * n) / (n + lost)).toFixed(1)} % of ${(n + lost).toLocaleString('en')} kept`;
    return [`similarity ${set.padEnd(6)} ${plot(kept, dropped, parsed.data.bins_per_unit)}  ${share}`];
  });
}

/** `0.02 ▁▂▅│▇█▃▁ 0.38`: the bar stands where the first is kept. */
function plot(kept: SparseCounts, dropped: SparseCounts, perUnit: number): string {
  const heights = new Map<number, number>();
  for (const [bin, n] of [...kept, ...dropped]) {
    const at = Math.floor(bin / BINS_A_CHARACTER);
    heights.set(at, (heights.get(at) ?? 0) + n);
  }
  const [first, last] = [Math.min(...heights.keys()), Math.max(...heights.keys())];
  const highest = Math.max(...heights.values());
  const from = Math.floor(Math.min(...kept.map(([bin]) => bin)) / BINS_A_CHARACTER);
  let bars = '';
  for (let at = first; at <= last; at++) {
    if (at === from) bars += '│';
    const height = heights.get(at) ?? 0;
    bars += height === 0 ? ' ' : BARS[Math.min(BARS.length - 1, Math.floor((BARS.length * height) / highest))];
  }
  const edge = (at: number): string => ((at * BINS_A_CHARACTER - perUnit) / perUnit).toFixed(2);
  return `${edge(first)} ${bars} ${edge(last + 1)}`;
}

function sum(counts: SparseCounts): number {
  return counts.reduce((total, [, n]) => total + n, 0);
}

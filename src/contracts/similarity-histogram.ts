import { z } from 'zod';

/** How many samples have a similarity in each bin: bins of one width from -1 on. Its size is bounded, and adding up does not depend on the order. */
export class SimilarityHistogram {
  /** Bins in 1: 100 gives a width of 0.01. */
  readonly #perUnit: number;
  readonly #counts: Float64Array;

  constructor(perUnit: number) {
    this.#perUnit = perUnit;
    this.#counts = new Float64Array(2 * perUnit + 1);
  }

  static from(perUnit: number, counts: SparseCounts): SimilarityHistogram {
    const histogram = new SimilarityHistogram(perUnit);
    for (const [bin, n] of counts) histogram.#counts[bin] = n;
    return histogram;
  }

  add(similarity: number): void {
    this.#counts[this.#binOf(similarity)]!++;
  }

  addAll(counts: SparseCounts): void {
    for (const [bin, n] of counts) this.#counts[bin]! += n;
  }

  get total(): number {
    return this.#counts.reduce((sum, n) => sum + n, 0);
  }

  /** Bins that are not empty. */
  sparse(): [bin: number, n: number][] {
    return [...this.#counts].flatMap((n, bin): [number, number][] => (n > 0 ? [[bin, n]] : []));
  }

  /** Lower edge of a bin. */
  edge(bin: number): number {
    return (bin - this.#perUnit) / this.#perUnit;
  }

  /**
   * The lower edge at or above which `share` of all lie: the edge of the bin that holds the last of them, so that the share is reached and
   * exceeded by less than that bin. 1 where there is none.
   */
  topEdge(share: number): number {
    const wanted = Math.ceil(this.total * share);
    let above = 0;
    for (let bin = this.#counts.length - 1; bin >= 0; bin--) {
      above += this.#counts[bin]!;
      if (above > 0 && above >= wanted) return this.edge(bin);
    }
    return 1;
  }

  /** The bin whose lower edge is the largest at or below the similarity, to the last bit: a comparison with an edge decides as the bin does. */
  #binOf(similarity: number): number {
    let bin = Math.min(this.#counts.length - 1, Math.max(0, Math.floor((similarity + 1) * this.#perUnit)));
    while (bin > 0 && this.edge(bin) > similarity) bin--;
    while (bin + 1 < this.#counts.length && this.edge(bin + 1) <= similarity) bin++;
    return bin;
  }
}

/** Counts of the bins that are not empty. */
export const SparseCounts = z.array(z.tuple([z.int(), z.int()]));
export type SparseCounts = readonly (readonly [bin: number, n: number])[];

import type { FoundClassifier } from '../../models/classifiers/find-classifier.ts';

/** Why a row has no score: its picture could not be decoded, its caption not be tokenised, or no tar holds its picture. */
export type NoScore = 'decode-failed' | 'text-failed' | 'no-picture';

/** The columns of classifiers for the rows of a part, filled as the scores come: four bytes a row and column. */
export class ScoredColumns {
  readonly columns: { name: string; values: Float32Array }[];
  /** Rows without scores, by reason. */
  readonly missing = new Map<NoScore, number>();
  /** The place of the first column of each classifier. */
  readonly #first = new Map<FoundClassifier, number>();

  constructor(classifiers: readonly FoundClassifier[], rows: number) {
    this.columns = [];
    for (const each of classifiers) {
      this.#first.set(each, this.columns.length);
      // Not a number: no score yet.
      for (const { name } of each.classifier.columns) this.columns.push({ name, values: new Float32Array(rows).fill(Number.NaN) });
    }
  }

  /** What each of some classifiers says of a row; where one of them failed, the row is counted. */
  set(row: number, scores: readonly { by: FoundClassifier; values: Float32Array | Error }[], failed: NoScore): void {
    for (const { by, values } of scores) {
      if (values instanceof Error) continue;
      const first = this.#first.get(by)!;
      for (const [i, value] of values.entries()) this.columns[first + i]!.values[row] = value;
    }
    if (scores.some(({ values }) => values instanceof Error)) this.count(failed, 1);
  }

  /** A column that is no classifier's. */
  add(name: string, values: Float32Array): void {
    this.columns.push({ name, values });
  }

  count(reason: NoScore, rows: number): void {
    if (rows > 0) this.missing.set(reason, (this.missing.get(reason) ?? 0) + rows);
  }

  /** The values of rows by column, as they are written. */
  slice(from: number, to: number): Record<string, (number | null)[]> {
    const values = ({ values }: { values: Float32Array }): (number | null)[] =>
      Array.from(values.subarray(from, to), (value) => (Number.isNaN(value) ? null : value));
    return Object.fromEntries(this.columns.map((column) => [column.name, values(column)]));
  }
}

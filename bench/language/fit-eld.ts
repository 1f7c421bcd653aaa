import { eld } from 'eld/large';
import { languageTexts } from '../../test/local-paths.ts';
import { eldFeatures } from '../../src/language/eld-detector.ts';
import { languageText } from '../../src/language/language-text.ts';
import { labelledTexts } from './labelled-texts.ts';
import { half } from './length-bucket.ts';
import { sameLanguage } from './outcome-table.ts';
import { weightsOf } from './text-weights.ts';

/**
 * Fits the confidence of eld: logistic regression (Newton's method) of "the language is right" on the features, over the half of
 * the labelled texts on which thresholds are chosen too, weighed as the bench weighs them. Prints the constants of
 * src/language/eld-detector.ts. Run: node bench/language/fit-eld.ts FOLDER-OF-DATA
 */
const texts = half(await labelledTexts(process.argv[2] ?? languageTexts), 0);
const weights = weightsOf(texts);
const points = texts.flatMap(({ text, language }, i) => {
  const shown = languageText(text);
  const result = shown === undefined ? undefined : eld.detect(shown);
  if (shown === undefined || result === undefined || result.language === '') return [];
  const { lead, best, bytes } = eldFeatures(Object.values(result.getScores()), shown);
  return [{ x: [1, lead, best, bytes], right: sameLanguage(result.language, language) ? 1 : 0, weight: weights[i]! }];
});

let fit = [0, 0, 0, 0];
for (let step = 0; step < 30; step++) {
  const gradient = fit.map(() => 0);
  const hessian = fit.map(() => fit.map(() => 0));
  for (const { x, right, weight } of points) {
    const probability = 1 / (1 + Math.exp(-x.reduce((sum, value, i) => sum + value * fit[i]!, 0)));
    for (const [i, a] of x.entries()) {
      gradient[i]! += weight * (right - probability) * a;
      for (const [j, b] of x.entries()) hessian[i]![j]! += weight * probability * (1 - probability) * a * b;
    }
  }
  const change = solve(hessian, gradient);
  fit = fit.map((value, i) => value + change[i]!);
}
const [constant, lead, best, bytes] = fit.map((value) => Number(value.toPrecision(4)));
console.log(JSON.stringify({ constant, lead, best, bytes, texts: points.length }));

/** Gauss-Jordan elimination with pivots. */
function solve(matrix: number[][], right: number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows.slice(i).reduce((most, row, k) => (Math.abs(row[i]!) > Math.abs(rows[most]![i]!) ? i + k : most), i);
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    const unit = rows[i]!.map((value) => value / rows[i]![i]!);
    for (let k = 0; k < rows.length; k++) {
      const factor = rows[k]![i]!;
      rows[k] = k === i ? unit : rows[k]!.map((value, j) => value - factor * unit[j]!);
    }
  }
  return rows.map((row) => row.at(-1)!);
}

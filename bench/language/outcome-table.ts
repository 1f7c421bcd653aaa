import type { LabelledText } from './length-bucket.ts';
import { outcomeOf, type Outcome, weightsOf } from './text-weights.ts';

/** What a detector found in a text; the code is '' where it found nothing. */
export interface Detection {
  code: string;
  confidence: number;
}

export interface Outcomes {
  texts: number;
  /** Shares, 0 to 1. Precision: of those put there, how many belong there. Coverage: of those that belong there, how many were put there. */
  enPrecision: number;
  enCoverage: number;
  otherPrecision: number;
  /** Of the texts of other languages that were put there, how many with their own code. */
  rightCode: number;
  otherCoverage: number;
  noneKept: number;
  /** Of all texts, how many have the right outcome and, where it is another language, the right code. */
  right: number;
}

/** Two names of a language that is written alike: Norwegian as a whole for Bokmål and Nynorsk, Serbo-Croatian for its parts. */
const WIDER: Readonly<Record<string, readonly string[]>> = { no: ['nn'], nn: ['no'], hbs: ['sr', 'hr', 'bs'], fil: ['tl'] };

export function sameLanguage(detected: string, language: string): boolean {
  return detected === language || (WIDER[detected]?.includes(language) ?? false);
}

/** The outcomes at a threshold, weighed (text-weights.ts). */
export function outcomesAt(threshold: number, texts: readonly LabelledText[], detections: readonly Detection[]): Outcomes {
  const weights = weightsOf(texts);
  const put: Record<Outcome, Record<Outcome, number>> = { en: zero(), other: zero(), none: zero() };
  let code = 0;
  for (const [i, { language }] of texts.entries()) {
    const kept = detections[i]!.confidence >= threshold ? detections[i]!.code : '';
    const [belongs, found] = [outcomeOf(language), outcomeOf(kept)];
    put[found][belongs] += weights[i]!;
    if (belongs === 'other' && found === 'other' && sameLanguage(kept, language)) code += weights[i]!;
  }
  const of = (belongs: Outcome): number => put.en[belongs] + put.other[belongs] + put.none[belongs];
  const precision = (found: Outcome): number => put[found][found] / (put[found].en + put[found].other + put[found].none);
  return {
    texts: texts.length,
    enPrecision: precision('en'),
    enCoverage: put.en.en / of('en'),
    otherPrecision: precision('other'),
    rightCode: code / put.other.other,
    otherCoverage: put.other.other / of('other'),
    noneKept: put.none.none / of('none'),
    right: (put.en.en + code + put.none.none) / (of('en') + of('other') + of('none')),
  };
}

function zero(): Record<Outcome, number> {
  return { en: 0, other: 0, none: 0 };
}

/** Shares that differ by less are taken for equal: the sampling error of some 13 000 texts. */
const EQUAL = 0.002;

/**
 * Of 0.05, 0.10, … 0.95 the threshold at which most texts come out right; of those that are equal to it the highest, as a wrong
 * language does more harm than none.
 */
export function bestThreshold(texts: readonly LabelledText[], detections: readonly Detection[]): number {
  const steps = Array.from({ length: 19 }, (_, i) => (i + 1) / 20).map((threshold) => ({ threshold, right: outcomesAt(threshold, texts, detections).right }));
  const best = Math.max(...steps.map(({ right }) => right));
  return steps.findLast(({ right }) => right > best - EQUAL)!.threshold;
}

import { BUCKETS, type Bucket, bucketOf, type LabelledText } from './length-bucket.ts';

export type Outcome = 'en' | 'other' | 'none';

/** LAION-5B's three sets: 2.32, 2.26 and 1.27 billion pairs. */
const OUTCOMES: Readonly<Record<Outcome, number>> = { en: 2.32 / 5.85, other: 2.26 / 5.85, none: 1.27 / 5.85 };

/** Lengths of the 10 000 captions of img2dataset's test, which are LAION's. */
const LENGTHS: Readonly<Record<Bucket, number>> = { '5-20': 0.053, '20-50': 0.475, '50-100': 0.378, '100+': 0.094 };

export function outcomeOf(language: string): Outcome {
  return language === '' ? 'none' : language === 'en' ? 'en' : 'other';
}

/**
 * What each text counts: so much that the outcomes are as frequent as in LAION-5B and the lengths as in its captions, whatever
 * there is of each. Sum: 1, where no outcome lacks a length.
 */
export function weightsOf(texts: readonly LabelledText[]): number[] {
  const key = ({ text, language }: LabelledText): string => `${outcomeOf(language)} ${bucketOf(text)}`;
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(key(text), (counts.get(key(text)) ?? 0) + 1);
  return texts.map((text) => (OUTCOMES[outcomeOf(text.language)] * LENGTHS[bucketOf(text.text)!]) / counts.get(key(text))!);
}

export const lengthNames = BUCKETS.map(({ name }) => name);

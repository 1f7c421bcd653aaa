/** A text with the language that it is in; '' for what has none. */
export interface LabelledText {
  text: string;
  language: string;
  source: 'sentence' | 'word pair' | 'product' | 'caption' | 'person' | 'place' | 'code';
}

/** Lengths in characters: from, and up to but without. */
export const BUCKETS = [
  { name: '5-20', from: 5, to: 20 },
  { name: '20-50', from: 20, to: 50 },
  { name: '50-100', from: 50, to: 100 },
  { name: '100+', from: 100, to: Infinity },
] as const;
export type Bucket = (typeof BUCKETS)[number]['name'];

export function bucketOf(text: string): Bucket | undefined {
  const length = [...text].length;
  return BUCKETS.find(({ from, to }) => length >= from && length < to)?.name;
}

/** Every second text: 0 is the half on which thresholds are chosen, 1 the half that is reported. */
export function half<T>(texts: readonly T[], which: 0 | 1): T[] {
  return texts.filter((_, i) => i % 2 === which);
}

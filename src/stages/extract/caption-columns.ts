import type { Candidate } from '../../contracts/records.ts';
import { codePoints } from './clean-text.ts';

/** Cheap measures of a caption, for filters further down. Words are runs between white space. */
export type CaptionColumns = Pick<Candidate, 'words' | 'characters' | 'alphanumeric_share' | 'special_share' | 'repetition_share'>;

export function captionColumns(text: string): CaptionColumns {
  const characters = codePoints(text);
  if (characters === 0) return { words: 0, characters: 0, alphanumeric_share: 0, special_share: 0, repetition_share: 0 };
  const words = text.split(' ');
  const { alphanumeric, space } = countKinds(text);
  return {
    words: words.length,
    characters,
    alphanumeric_share: alphanumeric / characters,
    special_share: (characters - alphanumeric - space) / characters,
    repetition_share: repetitionShare(words),
  };
}

const LETTER_OR_DIGIT = /^[\p{L}\p{M}\p{N}]$/u;

/** Code points that are letters (with their marks) or digits, and those that are white space. */
function countKinds(text: string): { alphanumeric: number; space: number } {
  let alphanumeric = 0;
  let space = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 32) space++;
    else if (code < 128) {
      const small = code | 32;
      if ((small >= 97 && small <= 122) || (code >= 48 && code <= 57)) alphanumeric++;
    } else {
      const point = text.codePointAt(i)!;
      if (point > 0xffff) i++;
      if (LETTER_OR_DIGIT.test(String.fromCodePoint(point))) alphanumeric++;
    }
  }
  return { alphanumeric, space };
}

/**
 * The share of the words that the longest repeated run of words covers, all its occurrences together; of several runs
 * of that length the one that covers most. 0 where no word comes twice.
 */
export function repetitionShare(words: readonly string[]): number {
  if (words.length < 2 || new Set(words).size === words.length) return 0;
  // Mostly it is single words, such as "the", that come again.
  if (coverage(words, 2) === 0) return coverage(words, 1) / words.length;
  // If a run of n words comes twice, so does one of n - 1: the longest is found by halving.
  let low = 2;
  let high = words.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (coverage(words, middle) > 0) low = middle;
    else high = middle - 1;
  }
  return coverage(words, low) / words.length;
}

/** Most words covered by the occurrences of one run of `n` words that comes twice or more; 0 where there is none. */
function coverage(words: readonly string[], n: number): number {
  const seen = new Map<string, { covered: number; end: number }>();
  let most = 0;
  for (let start = 0; start + n <= words.length; start++) {
    const run = n === 1 ? words[start]! : words.slice(start, start + n).join(' ');
    const before = seen.get(run);
    if (!before) seen.set(run, { covered: n, end: start + n });
    else {
      before.covered += start + n - Math.max(start, before.end);
      before.end = start + n;
      most = Math.max(most, before.covered);
    }
  }
  return most;
}

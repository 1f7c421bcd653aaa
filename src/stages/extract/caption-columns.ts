import type { Candidate } from '../../contracts/records.ts';
import { FEW_WORDS, repetitionShare, shortRepetitionShare } from './repetition-share.ts';

/** Cheap measures of a caption, for filters further down. Words are runs between white space. */
export type CaptionColumns = Pick<Candidate, 'words' | 'characters' | 'alphanumeric_share' | 'special_share' | 'repetition_share'>;

/** Of the words of the caption at hand: a hash of each, and where each ends. Used again for the next caption. */
const hashes = new Int32Array(FEW_WORDS);
const ends = new Int32Array(FEW_WORDS);

/** Measures of a cleaned text, whose words one space parts. All in one pass over its characters, which makes no string. */
export function captionColumns(text: string): CaptionColumns {
  let characters = 0;
  let alphanumeric = 0;
  let spaces = 0;
  let hash = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    characters++;
    if (code === 32) {
      if (spaces < FEW_WORDS) {
        hashes[spaces] = hash;
        ends[spaces] = i;
      }
      spaces++;
      hash = 0;
      continue;
    }
    hash = Math.imul(hash, 31) + code;
    if (code < 128) {
      const small = code | 32;
      if ((small >= 97 && small <= 122) || (code >= 48 && code <= 57)) alphanumeric++;
    } else {
      const point = code >= 0xd800 && code < 0xdc00 ? text.codePointAt(i)! : code;
      if (point > 0xffff) hash = Math.imul(hash, 31) + text.charCodeAt(++i);
      if (isLetterOrDigit(point)) alphanumeric++;
    }
  }
  if (characters === 0) return { words: 0, characters: 0, alphanumeric_share: 0, special_share: 0, repetition_share: 0 };
  const words = spaces + 1;
  if (words <= FEW_WORDS) {
    hashes[spaces] = hash;
    ends[spaces] = text.length;
  }
  return {
    words,
    characters,
    alphanumeric_share: alphanumeric / characters,
    special_share: (characters - alphanumeric - spaces) / characters,
    repetition_share: words <= FEW_WORDS ? shortRepetitionShare(text, words, hashes, ends) : repetitionShare(text.split(' ')),
  };
}

const LETTER_OR_DIGIT = /^[\p{L}\p{M}\p{N}]$/u;
const [YES, NO] = [1, 2];
/** What was found for the characters of the basic plane; 0 where it was not asked yet. */
const found = new Uint8Array(0x10000);

/** Whether a code point is a letter, the mark of one, or a digit. */
function isLetterOrDigit(point: number): boolean {
  if (point > 0xffff) return LETTER_OR_DIGIT.test(String.fromCodePoint(point));
  if (found[point] === 0) found[point] = LETTER_OR_DIGIT.test(String.fromCharCode(point)) ? YES : NO;
  return found[point] === YES;
}

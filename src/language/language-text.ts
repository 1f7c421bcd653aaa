/** Fewer letters than this say nothing about the language. */
const MIN_LETTERS = 3;

/** CLD3 reads 10 000 bytes, eld 1000 characters: more would only cost time, and CLD3's memory does not grow. */
const MAX_CHARACTERS = 10_000;

/**
 * What a detector is shown of a text (docs/notes/extract.md holds what each step gains): without URLs; in lower case, as fastText takes
 * capitals for other words; `_` and the `-` within a word made spaces, as names of files have them. No NUL (C ends strings
 * there) and no lone surrogates. Undefined where too few letters are left to say something.
 */
export function languageText(text: string): string | undefined {
  const plain = text
    .slice(0, MAX_CHARACTERS)
    .toWellFormed()
    .replaceAll(/(?:https?:\/\/|www\.)\S+/gi, ' ')
    .replaceAll(/[\0\n_]|(?<=\S)-(?=\S)/g, ' ')
    .toLowerCase();
  return hasLetters(plain) ? plain : undefined;
}

function hasLetters(text: string): boolean {
  // Of "img1234a" only runs of four letters count: the rest is a number of something.
  const words = /\d/.test(text) ? text.replaceAll(/[a-z0-9]+/g, (word) => (/\d/.test(word) ? (word.match(/[a-z]{4,}/g) ?? []).join(' ') : word)) : text;
  let letters = 0;
  for (const _ of words.matchAll(/\p{L}/gu)) if (++letters >= MIN_LETTERS) return true;
  // A word of two ideographs is long enough.
  return /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}]{2}/u.test(words);
}

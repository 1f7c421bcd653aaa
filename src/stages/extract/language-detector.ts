/** The port behind which language detectors stand. */
export interface LanguageDetector {
  /** The most likely language of a text (one line, not empty) with its confidence, 0 to 1; undefined where it can't say. */
  detect(text: string): DetectedLanguage | undefined;
  close(): void;
}

export interface DetectedLanguage {
  /** ISO 639-1 in lower case, else 639-3. */
  code: string;
  confidence: number;
}

/** Fewer letters than this say nothing about the language. */
const FEWEST_LETTERS = 3;

/** Whether a text has letters enough for a detector to say something. */
export function hasLetters(text: string): boolean {
  let letters = 0;
  for (const _ of text.matchAll(/\p{L}/gu)) if (++letters >= FEWEST_LETTERS) return true;
  // A word of two ideographs is long enough.
  return /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}]{2}/u.test(text);
}

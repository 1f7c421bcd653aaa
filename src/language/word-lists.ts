/** Lists of words by language, and whether a text has one of them. */
export class WordLists {
  readonly #patterns = new Map<string, RegExp>();

  constructor(lists: Readonly<Record<string, readonly string[]>>) {
    for (const [language, words] of Object.entries(lists)) if (words.length > 0) this.#patterns.set(language, anyWord(words));
  }

  /** By the lists of its language and of English; where the language is not known (empty), by all. */
  matches(text: string, language: string): boolean {
    const composed = text.normalize('NFC');
    if (language === '') return [...this.#patterns.values()].some((words) => words.test(composed));
    return this.#patterns.get('en')?.test(composed) === true || this.#patterns.get(language)?.test(composed) === true;
  }
}

/** Scripts that are written without spaces between words, or whose words take endings without one. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Hangul}]/u;

/** One of the words: alone, with a star at its end as the beginning of a word, in scripts without spaces anywhere. */
function anyWord(words: readonly string[]): RegExp {
  const patterns = words.map((word) => {
    const open = word.endsWith('*');
    const text = (open ? word.slice(0, -1) : word).normalize('NFC').replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
    if (UNSPACED.test(word)) return text;
    return String.raw`(?<![\p{L}\p{M}\p{N}])${text}${open ? '' : String.raw`(?![\p{L}\p{M}\p{N}])`}`;
  });
  return new RegExp(patterns.join('|'), 'iu');
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../contracts/package-root.ts';

/** Whether a text holds a word or phrase of the list of its language; English's where the language is unknown or has none. */
export type WordList = (text: string, language: string) => boolean;

/** Written without spaces between words: a phrase is looked for anywhere in the text. */
const unspaced = new Set(['ja', 'zh', 'th']);

/**
 * The lists of LDNOOBW (models/word-lists): words that are obscene in 27 languages. They know nothing of meaning: a quotation, a place name or a
 * medical text counts as much as an insult, and what is not in the list is not found. Each text is compared with its own language's list
 * only, because many of the words are harmless in another language.
 */
export async function readWordList(): Promise<WordList> {
  const lists = JSON.parse(await readFile(join(packageRoot(), 'models/word-lists/obscene.json'), 'utf8')) as Record<string, readonly string[]>;
  const prepared = new Map<string, { phrases: ReadonlySet<string>; longest: number }>();
  const listOf = (language: string): { phrases: ReadonlySet<string>; longest: number } => {
    const known = prepared.get(language);
    if (known) return known;
    const phrases = new Set(
      lists[language]!.map((phrase) => (unspaced.has(language) ? folded(phrase) : words(phrase).join(' '))).filter((phrase) => phrase !== ''),
    );
    const list = { phrases, longest: Math.max(...[...phrases].map((phrase) => phrase.split(' ').length)) };
    prepared.set(language, list);
    return list;
  };
  return (text, language) => {
    const named = Object.hasOwn(lists, language) ? language : 'en';
    const { phrases, longest } = listOf(named);
    if (unspaced.has(named)) {
      const whole = folded(text);
      return [...phrases].some((phrase) => whole.includes(phrase));
    }
    const found = words(text);
    for (let start = 0; start < found.length; start++)
      for (let length = 1; length <= longest && start + length <= found.length; length++)
        if (phrases.has(found.slice(start, start + length).join(' '))) return true;
    return false;
  };
}

function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

/** Runs of letters, marks and digits. */
function words(text: string): string[] {
  return folded(text).match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
}

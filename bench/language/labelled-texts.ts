import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanText } from '../../src/stages/extract/clean-text.ts';
import { laionCaptions } from './real-texts.ts';
import { BUCKETS, bucketOf, type LabelledText } from './length-bucket.ts';
import { namesAndCodes, productNames } from './names-and-codes.ts';
import { randomOf } from './random.ts';

/** Codes of lingua's crates that are named after the language. */
const LINGUA: Readonly<Record<string, string>> = Object.fromEntries(
  (
    'afrikaans af albanian sq arabic ar armenian hy azerbaijani az basque eu belarusian be bengali bn bokmal no bosnian bs bulgarian bg catalan ca ' +
    'chinese zh croatian hr czech cs danish da dutch nl english en esperanto eo estonian et finnish fi french fr ganda lg georgian ka german de ' +
    'greek el gujarati gu hebrew he hindi hi hungarian hu icelandic is indonesian id irish ga italian it japanese ja kazakh kk korean ko latin la ' +
    'latvian lv lithuanian lt macedonian mk malay ms maori mi marathi mr mongolian mn nynorsk nn persian fa polish pl portuguese pt punjabi pa ' +
    'romanian ro russian ru serbian sr shona sn slovak sk slovene sl somali so sotho st spanish es swahili sw swedish sv tagalog tl tamil ta ' +
    'telugu te thai th tsonga ts tswana tn turkish tr ukrainian uk urdu ur vietnamese vi welsh cy xhosa xh yoruba yo zulu zu'
  )
    .split(' ')
    .reduce<[string, string][]>((pairs, word, i) => (i % 2 === 0 ? [...pairs, [word, '']] : [...pairs.slice(0, -1), [pairs.at(-1)![0], word]]), []),
);

/** Texts of each other language and length; of English it is as many as the sentences give. */
const PER_LANGUAGE = 100;
const PER_ENGLISH = 2000;

/** All texts on which something is chosen: sentences, word pairs, names of products, of people and places, and codes. Throws where the folder holds none. */
export async function labelledTexts(folder: string): Promise<LabelledText[]> {
  const texts = linguaTexts(folder);
  const none = namesAndCodes(
    folder,
    (await laionCaptions()).map(({ url }) => url),
  );
  if (texts.length === 0 || none.length === 0) throw new Error(`${folder} has no labelled texts: bench/language/data.sh ${folder} gets them.`);
  return [...texts, ...productNames(folder), ...none];
}

/** Sentences of lingua's crates cut to each length, and its word pairs, which are short as they are. */
function linguaTexts(folder: string): LabelledText[] {
  const vendor = join(folder, 'lingua/vendor');
  if (!existsSync(vendor)) return [];
  return readdirSync(vendor).flatMap((crate) => {
    const language = LINGUA[crate.replace(/^lingua-|-language-model$/g, '')];
    if (language === undefined) return [];
    const count = language === 'en' ? PER_ENGLISH : PER_LANGUAGE;
    const pairs = lines(join(vendor, crate, 'testdata/word-pairs.txt')).filter((text) => bucketOf(text) === '5-20');
    return [
      ...cutToLengths(lines(join(vendor, crate, 'testdata/sentences.txt')), language, 'sentence', count),
      ...pairs.slice(0, count / 2).map((text) => ({ text, language, source: 'word pair' as const })),
    ];
  });
}

function lines(file: string): string[] {
  return [...new Set(readFileSync(file, 'utf8').split('\n').map(cleanText).filter(Boolean))];
}

/** Runs of words, or of characters where a script has no spaces, out of `count` of the texts: as long as each bucket says. */
function cutToLengths(texts: string[], language: string, source: LabelledText['source'], count: number): LabelledText[] {
  const random = randomOf(language + source);
  return BUCKETS.flatMap(({ from, to }) => {
    const found: LabelledText[] = [];
    for (let i = 0; i < texts.length * 4 && found.length < count; i++) {
      const wanted = from + Math.floor(random() * (Math.min(to, 200) - from));
      const text = cut(texts[i % texts.length]!, wanted, random);
      if (text !== undefined && [...text].length >= from && [...text].length < to) found.push({ text, language, source });
    }
    return found;
  });
}

function cut(text: string, wanted: number, random: () => number): string | undefined {
  const characters = [...text];
  if (characters.length <= wanted) return text;
  const starts = characters.flatMap((_, i) => (i === 0 || characters[i - 1] === ' ' ? [i] : []));
  const spaced = starts.length > characters.length / 20;
  const latest = characters.length - wanted;
  const allowed = spaced ? starts.filter((start) => start <= latest) : Array.from({ length: latest + 1 }, (_, i) => i);
  const start = allowed[Math.floor(random() * allowed.length)]!;
  const run = characters.slice(start, start + wanted).join('');
  const whole = !spaced || characters[start + wanted] === undefined || characters[start + wanted] === ' ' ? run : run.slice(0, run.lastIndexOf(' '));
  return whole.trim() === '' ? undefined : whole.trim();
}

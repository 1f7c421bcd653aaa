import type { LabelledText } from './length-bucket.ts';
import { randomOf } from './random.ts';

const NOISE = [
  'http://www.example.com/shop/item?id=482',
  '1200x800',
  'SKU 48213-B',
  '$19.99',
  '(12 pcs, 30 cm)',
  'www.example.org/gallery',
  'IMG_20190823_0042',
  '| 2018-04-12',
];

/** What alt texts look like beside plain sentences, made of the labelled texts. Names of people are a foreign element in a text of one language. */
export const harderTexts: Readonly<Record<string, (text: string, i: number, names: readonly string[]) => string>> = {
  'as it is': (text) => text,
  'ALL CAPS': (text) => text.toUpperCase(),
  'Every Word Capital': (text) => text.replace(/(^|\s)(\p{L})/gu, (_, space: string, letter: string) => space + letter.toUpperCase()),
  'words-like-file_names': (text, i) => text.replaceAll(' ', i % 2 === 0 ? '-' : '_'),
  'with URLs and numbers': (text, i) => (i % 2 === 0 ? `${text} ${NOISE[i % 8]!}` : `${NOISE[i % 8]!} ${text}`),
  "with a person's name": (text, i, names) => `${text}, ${names[Math.floor(randomOf(String(i))() * names.length)]!}`,
};

/** Texts with a language, one in `every`, changed in a way. */
export function harder(way: string, texts: readonly LabelledText[], every: number): LabelledText[] {
  const names = texts.filter(({ source, text }) => source === 'person' && !text.includes(',')).map(({ text }) => text);
  return texts.filter((_, i) => i % every === 0).map((each, i) => (each.source === 'code' ? each : { ...each, text: harderTexts[way]!(each.text, i, names) }));
}

// How a caption or a page says "picture" in each language, and what share of the web each language has.

import type { Random } from './random.ts';

const words: Record<string, string> = {
  bn: 'ছবি',
  da: 'billede',
  de: 'Bild',
  en: 'picture',
  es: 'imagen',
  et: 'pilt',
  fi: 'kuva',
  fr: 'image',
  hi: 'चित्र',
  hu: 'kép',
  it: 'immagine',
  ja: '画像',
  ko: '그림',
  lt: 'paveikslėlis',
  ms: 'gambar',
  nb: 'bilde',
  nl: 'afbeelding',
  pl: 'obrazek',
  pt: 'imagem',
  ru: 'картинка',
  sv: 'bild',
  th: 'รูปภาพ',
  uk: 'картинка',
  vi: 'hình ảnh',
  zh: '图片',
  'zh-hant': '圖片',
};

/** ISO 639-1; the locale's region or script is left out. */
export function languageOf(locale: string): string {
  return locale.split('-')[0] ?? locale;
}

/** As a page writes it: en-GB, zh-Hant. */
export function htmlLang(locale: string): string {
  const [language, rest] = locale.split('-');
  if (rest === undefined) return locale;
  return `${language}-${rest.length === 2 ? rest.toUpperCase() : `${rest[0]?.toUpperCase()}${rest.slice(1)}`}`;
}

export function wordForPicture(locale: string): string {
  return words[locale] ?? words[languageOf(locale)] ?? 'picture';
}

/** A quarter of the web is English; the other languages have equal parts, so that recall is measurable in each. */
export function pickLocale(random: Random, locales: readonly string[]): string {
  if (random.chance(0.22)) return 'en';
  return random.pick(locales.filter((locale) => locale !== 'en'));
}

/** Where double-encoded UTF-8 can be told from real text, and repaired. */
export const mojibakeLocales = ['da', 'de', 'es', 'et', 'fi', 'fr', 'hu', 'it', 'lt', 'nb', 'pl', 'pt', 'ru', 'sv', 'uk', 'vi'];

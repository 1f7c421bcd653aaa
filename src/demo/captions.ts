// The texts of the web's pictures: what is in the picture, in one of many languages.

import type { EmojiSet } from './emoji-set.ts';
import { wordForPicture } from './languages.ts';
import type { PlannedPicture } from './plan-pictures.ts';
import type { Random } from './random.ts';

/** Shorter texts are not worth having, says the rule that the web is made for. */
export const shortestText = 5;

export interface Captions {
  /** A caption of the picture, and no other link's of the same picture; null where the language has run out of them. */
  right(random: Random, picture: PlannedPicture, locale: string): string | null;
  /** A caption of another emoji that shares neither group nor word with the picture's. */
  wrong(random: Random, picture: PlannedPicture, locale: string): { text: string; emoji: number };
  /** Over 2000 characters, and still about the picture. */
  long(random: Random, picture: PlannedPicture, locale: string): string;
  label(picture: PlannedPicture, locale: string): string;
  tags(picture: PlannedPicture, locale: string): string[];
}

function lengthOf(text: string): number {
  return [...text].length;
}

export function makeCaptions(set: EmojiSet): Captions {
  const used = new Set<string>();
  const english = set.texts['en'] ?? [];
  const wordsOf = english.map((texts) => new Set(texts.flatMap((text) => text.toLowerCase().split(/[^\p{L}\p{N}]+/u))));

  function label(picture: PlannedPicture, locale: string): string {
    const toned = picture.tone === null ? '' : set.tonedLabels[locale]?.[picture.tone];
    return toned || set.texts[locale]?.[picture.emoji]?.[0] || '';
  }

  function tags(picture: PlannedPicture, locale: string): string[] {
    const known = set.texts[locale]?.[picture.emoji]?.slice(1) ?? [];
    return known.filter((tag) => tag !== label(picture, locale));
  }

  /** All ways that a page may put it, the shortest first. */
  function phrase(random: Random, picture: PlannedPicture, locale: string): string {
    const name = label(picture, locale);
    const others = random.shuffled(tags(picture, locale));
    const [one, two] = others;
    const word = wordForPicture(locale);
    const forms = [name, name];
    if (one !== undefined) forms.push(`${name}, ${one}`, `${name} – ${one}`, `${one}: ${name}`);
    if (one !== undefined && two !== undefined) forms.push(`${name}, ${one}, ${two}`, `${one}, ${two}, ${name}`);
    if (random.chance(0.15)) forms.splice(0, forms.length, `${word}: ${name}`, `${name} (${word})`);
    let text = random.pick(forms);
    // Two Chinese characters are a whole label: the tags make a caption of it.
    for (const tag of others) if (lengthOf(text) < shortestText) text += `, ${tag}`;
    if (lengthOf(text) < shortestText) text = `${word}: ${text}`;
    return lengthOf(text) < shortestText ? `${text} (emoji)` : text;
  }

  function right(random: Random, picture: PlannedPicture, locale: string): string | null {
    if (label(picture, locale) === '') return null;
    for (let attempt = 0; attempt < 12; attempt++) {
      const text = phrase(random, picture, locale);
      const key = `${picture.file} ${text}`;
      if (used.has(key)) continue;
      used.add(key);
      return text;
    }
    return null;
  }

  function wrong(random: Random, picture: PlannedPicture, locale: string): { text: string; emoji: number } {
    const group = set.emojis[picture.emoji]?.group;
    const words = wordsOf[picture.emoji] ?? new Set();
    for (;;) {
      const emoji = random.integer(0, set.emojis.length - 1);
      if (set.emojis[emoji]?.group === group || !words.isDisjointFrom(wordsOf[emoji] ?? new Set())) continue;
      const other = { ...picture, emoji, tone: null };
      if (label(other, locale) !== '') return { text: phrase(random, other, locale), emoji };
    }
  }

  function long(random: Random, picture: PlannedPicture, locale: string): string {
    const parts = [label(picture, locale), ...random.shuffled(tags(picture, locale))];
    const once = `${parts.join(', ')}. `;
    return once.repeat(Math.ceil(random.integer(2100, 2900) / lengthOf(once))).trim();
  }

  return { right, wrong, long, label, tags };
}

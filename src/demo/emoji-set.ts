// The committed file of pictures and their names (made by recipes/emoji-pictures).

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';

export interface Drawing {
  hex: string;
  emoji: string;
  viewBox: string;
  svg: string;
}

export interface Emoji extends Drawing {
  group: number;
  subgroup: number;
}

/** A drawing of `emojis[base]` with a skin tone. */
export interface TonedEmoji extends Drawing {
  base: number;
}

export interface EmojiSet {
  format: 1;
  locales: string[];
  emojis: Emoji[];
  toned: TonedEmoji[];
  /** By locale, then by index into `emojis`: the label, then the tags; an empty label where a language has none. */
  texts: Record<string, string[][]>;
  /** By locale, then by index into `toned`. */
  tonedLabels: Record<string, string[]>;
}

/** Beside this module, in a clone and in dist/. */
const file = join(import.meta.dirname, 'pictures.json.br');

export async function readEmojiSet(): Promise<EmojiSet> {
  const bytes = await promisify(brotliDecompress)(await readFile(file));
  return JSON.parse(bytes.toString('utf8')) as EmojiSet;
}

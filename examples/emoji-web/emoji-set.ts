// The committed file of pictures and their names (made by recipes/emoji-pictures).

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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

const fileName = 'pictures.json.br';

/** Beside this module in a clone; under the package's root where the module was compiled into another folder. */
function locate(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    for (const path of [join(folder, fileName), join(folder, 'examples', 'emoji-web', fileName)]) {
      if (existsSync(path)) return path;
    }
    if (folder === dirname(folder)) throw new Error(`${fileName} of the example crawl is missing from the package`);
  }
}

export async function readEmojiSet(): Promise<EmojiSet> {
  const bytes = await promisify(brotliDecompress)(await readFile(locate()));
  return JSON.parse(bytes.toString('utf8')) as EmojiSet;
}

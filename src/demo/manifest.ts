// What the generated web holds: manifest.json in sums, manifest.jsonl link by link.

import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Kind } from './kinds.ts';

export interface EmojiWebManifest {
  seed: number;
  options: { seed: number; candidates: number; pictures: number; crawlFiles: number };
  /** Image links on pages, by kind. */
  counts: Record<Kind, number>;
  links: number;
  pages: number;
  /** Distinct rendered pictures (near-duplicates and planted files not counted). */
  pictures: number;
  hosts: string[];
  /** Right-captioned links by language. */
  languages: Record<string, number>;
  /** Under wat/ and warc/. */
  wat: string[];
  warc: string[];
}

/** One image link as it occurs on a page. */
export interface ManifestLink {
  /** Absolute, as `new URL(src, base).href` resolves it; of a data URL what Common Crawl keeps (up to the comma). */
  url: string;
  /** As in the HTML after entity decoding; empty where there is no alt or an empty one. */
  text: string;
  kind: Kind;
  /** ISO 639-1, of the text; null where it is in none. */
  language: string | null;
  /** The language file the text is from: en-gb, zh-hant … */
  locale: string | null;
  /** The picture's emoji (without skin tone), by hexcode. */
  emoji: string | null;
  /** What the text is about, where that is another emoji. */
  text_emoji?: string;
  /** What the text is once repaired, of mojibake. */
  repaired?: string;
  /** Under pictures/; null where no picture is served. */
  picture: string | null;
  page_url: string;
  /** The WAT file's name; its WARC file is the same name without `.wat`. */
  crawl_file: string;
}

export const manifestName = 'manifest.json';
export const manifestLinksName = 'manifest.jsonl';

export async function readManifest(folder: string): Promise<EmojiWebManifest> {
  return JSON.parse(await readFile(join(folder, manifestName), 'utf8')) as EmojiWebManifest;
}

export async function* readManifestLinks(folder: string): AsyncIterable<ManifestLink> {
  const lines = createInterface({ input: createReadStream(join(folder, manifestLinksName)), crlfDelay: Infinity });
  for await (const line of lines) yield JSON.parse(line) as ManifestLink;
}

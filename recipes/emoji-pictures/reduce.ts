// Reduces the two icon and name packages to the one small file that src/demo is made from:
// pictures.json.br, with every emoji's SVG, and its label and tags in every language of emojibase-data.
// Both packages are devDependencies; the published package carries only this file.

import { readFileSync, readdirSync, existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

interface Icon {
  body: string;
  width?: number;
  height?: number;
}
interface Icons {
  icons: Record<string, Icon>;
  aliases?: Record<string, { parent: string }>;
  width: number;
  height: number;
}
interface EmojibaseSkin {
  hexcode: string;
  emoji: string;
  label: string;
  tone?: number | number[];
}
interface EmojibaseEntry {
  hexcode: string;
  emoji: string;
  label: string;
  tags?: string[];
  group?: number;
  subgroup?: number;
  skins?: EmojibaseSkin[];
}

/** Skin tones, hair styles: they are no pictures of something by themselves. */
const componentGroup = 2;

const require = createRequire(import.meta.url);

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

/** The icon set names files without U+FE0F in places where emojibase writes it. */
function plainHex(hexcode: string): string {
  return hexcode.toLowerCase().replaceAll('-fe0f', '');
}

function iconFinder(): (hexcode: string) => Icon | undefined {
  const icons = readJson<Icons>(require.resolve('@iconify-json/twemoji/icons.json'));
  const chars = readJson<Record<string, string>>(require.resolve('@iconify-json/twemoji/chars.json'));
  const names = new Map(Object.entries(chars).map(([hex, name]) => [plainHex(hex), name]));
  return (hexcode) => {
    const name = names.get(plainHex(hexcode));
    if (name === undefined) return undefined;
    return icons.icons[name] ?? icons.icons[icons.aliases?.[name]?.parent ?? ''];
  };
}

function viewBox(icon: Icon): string {
  return `0 0 ${icon.width ?? 36} ${icon.height ?? 36}`;
}

export function reduceEmojiPictures(): string {
  const iconOf = iconFinder();
  const folder = dirname(require.resolve('emojibase-data/package.json'));
  const locales = readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'data.json')))
    .toSorted();
  const english = readJson<EmojibaseEntry[]>(join(folder, 'en', 'data.json'));
  const kept = english.filter((e) => e.group !== undefined && e.group !== componentGroup && iconOf(e.hexcode) !== undefined);

  // One tone of each emoji that has tones, the five tones in turn: all five would double the file for little.
  const toned: { base: number; at: number; skin: EmojibaseSkin }[] = [];
  kept.forEach((entry, base) => {
    const single = (entry.skins ?? []).flatMap((skin, at) => (typeof skin.tone === 'number' ? [{ base, at, skin }] : []));
    const chosen = single[toned.length % Math.max(single.length, 1)];
    if (chosen !== undefined && iconOf(chosen.skin.hexcode) !== undefined) toned.push(chosen);
  });

  const texts: Record<string, string[][]> = {};
  const tonedLabels: Record<string, string[]> = {};
  for (const locale of locales) {
    const byHex = new Map(readJson<EmojibaseEntry[]>(join(folder, locale, 'data.json')).map((e) => [e.hexcode, e]));
    texts[locale] = kept.map((e) => {
      const entry = byHex.get(e.hexcode);
      return entry === undefined ? [''] : [entry.label, ...(entry.tags ?? [])];
    });
    tonedLabels[locale] = toned.map(({ base, skin }) => {
      const skins = byHex.get(kept[base]?.hexcode ?? '')?.skins ?? [];
      return skins.find((s) => s.hexcode === skin.hexcode)?.label ?? '';
    });
  }

  return JSON.stringify({
    format: 1,
    locales,
    emojis: kept.map((e) => ({
      hex: e.hexcode,
      emoji: e.emoji,
      group: e.group,
      subgroup: e.subgroup ?? 0,
      viewBox: viewBox(iconOf(e.hexcode) as Icon),
      svg: iconOf(e.hexcode)?.body,
    })),
    toned: toned.map(({ base, skin }) => ({
      base,
      hex: skin.hexcode,
      emoji: skin.emoji,
      viewBox: viewBox(iconOf(skin.hexcode) as Icon),
      svg: iconOf(skin.hexcode)?.body,
    })),
    texts,
    tonedLabels,
  });
}

if (import.meta.main) {
  const bytes = Buffer.from(reduceEmojiPictures());
  const packed = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  const target = join(import.meta.dirname, '../../src/demo/pictures.json.br');
  writeFileSync(target, packed);
  process.stdout.write(`${target}: ${packed.length} bytes (${bytes.length} before compression)\n`);
}

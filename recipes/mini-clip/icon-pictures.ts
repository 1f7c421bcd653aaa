import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { classes, codeKey, FLAGS, iconFolder, packageFolder, readJson, type Shown, shownByCode, shownByCountry, shownBySlug } from './emoji-classes.ts';

/** An icon set, and how its icons are named. */
export interface IconSet {
  name: string;
  /** Drawn in one colour, so sampled less often. */
  mono?: boolean;
  /** False where its flags are not used. */
  flags?: boolean;
  /** Set whose chars.json tells what the icons of this one show, as both have the same names. */
  charsOf?: string;
  /** Icons are named by country codes. */
  codes?: RegExp;
  /** Names end in a number: man-astronaut-1, man-astronaut-2 are two pictures of one emoji. */
  variants?: boolean;
}

/** A picture of an emoji in a set: a drawing of any size, or a file. */
export interface Picture extends Shown {
  set: string;
  mono: boolean;
  slug: string;
  source: { svg(pixels: number): Buffer } | { file: string };
}

interface Icons {
  icons: Record<string, Icon>;
  aliases?: Record<string, { parent: string }>;
  width?: number;
  height?: number;
}
interface Icon {
  body: string;
  left?: number;
  top?: number;
  width?: number;
  height?: number;
}

/** All pictures of a set, at most one for each (class, tone), or for each numbered variant of it. */
export function picturesOf(set: IconSet): Picture[] {
  const icons = readJson<Icons>(join(iconFolder(set.name), 'icons.json'));
  const chars = readJson<Record<string, string>>(join(iconFolder(set.charsOf ?? set.name), 'chars.json'));
  const found = new Map<string, Picture & { priority: number }>();
  const add = (shown: Shown | undefined, slug: string, priority: number, variant = ''): void => {
    if (!shown || (set.flags === false && classes[shown.cls]!.group === FLAGS)) return;
    const key = `${shown.cls} ${shown.tone} ${variant}`;
    const known = found.get(key);
    const icon = icons.icons[slug] ?? icons.icons[icons.aliases?.[slug]?.parent ?? ''];
    if ((known && known.priority <= priority) || !icon) return;
    found.set(key, { set: set.name, mono: set.mono ?? false, cls: shown.cls, tone: shown.tone, priority, slug, source: { svg: drawing(icons, icon) } });
  };
  for (const [code, slug] of Object.entries(chars)) add(shownByCode.get(codeKey(code)), slug, 0);
  for (const slug of [...Object.keys(icons.icons), ...Object.keys(icons.aliases ?? {})]) {
    if (set.codes) {
      const country = slug.match(set.codes)?.[1];
      if (country) add(shownByCountry(country), slug, 0);
    } else if (Object.keys(chars).length === 0) {
      const numbered = set.variants ? slug.match(/^(.*)-(\d)$/) : null;
      const shown = shownBySlug(slug) ?? (numbered ? shownBySlug(numbered[1]!) : undefined);
      if (shown) add(shown, slug, shown.priority + (icons.icons[slug] ? 0 : 10), numbered?.[2]);
    }
  }
  return inClassOrder(found.values());
}

function drawing(icons: Icons, icon: Icon): (pixels: number) => Buffer {
  const width = icon.width ?? icons.width ?? 16;
  const height = icon.height ?? icons.height ?? 16;
  const box = `${icon.left ?? 0} ${icon.top ?? 0} ${width} ${height}`;
  return (pixels) => {
    const scale = pixels / Math.max(width, height);
    return Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width * scale}" height="${height * scale}" viewBox="${box}">${icon.body}</svg>`,
    );
  };
}

/** The rendered set fluent-emoji-3d, whose files are named by code points. */
export function renderedPictures(): Picture[] {
  const folder = join(packageFolder('@lobehub/fluent-emoji-3d'), 'assets');
  const found = new Map<string, Picture>();
  for (const name of readdirSync(folder).sort()) {
    const shown = shownByCode.get(codeKey(name.replace(/\.webp$/, '')));
    if (shown) found.set(`${shown.cls} ${shown.tone}`, { set: 'fluent-emoji-3d', mono: false, ...shown, slug: name, source: { file: join(folder, name) } });
  }
  return inClassOrder(found.values());
}

function inClassOrder(pictures: Iterable<Picture>): Picture[] {
  return [...pictures].sort((a, b) => a.cls - b.cls || a.tone.localeCompare(b.tone));
}

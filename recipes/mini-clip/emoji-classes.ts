import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The emoji that the model knows, its classes, and the names and code points by which icon sets call them. */

export interface EmojiClass {
  hexcode: string;
  emoji: string;
  label: string;
  tags?: string[];
  order: number;
  group?: number;
  subgroup: number;
  skins?: { hexcode: string; label: string; tone?: number | number[] }[];
}

/** What a picture shows: a class, in a skin tone or ''. */
export interface Shown {
  cls: number;
  tone: string;
}

const require = createRequire(import.meta.url);
export const readJson = <T>(path: string | URL): T => JSON.parse(readFileSync(path, 'utf8')) as T;
export const packageFolder = (name: string): string => dirname(require.resolve(`${name}/package.json`));
export const iconFolder = (set: string): string => packageFolder(`@iconify-json/${set}`);

// Of the five skin tones two are enough; a toned picture is one more picture of the untoned class.
const TONES: Record<string, string> = { '1f3fc': 'medium-light', '1f3ff': 'dark' };
/** Groups of emojibase: components (skin tones, hair styles), which are no class, and flags. */
const COMPONENTS = 2;
export const FLAGS = 9;

const emojibase = packageFolder('emojibase-data');
export const languages = readdirSync(emojibase).filter((folder) => /^[a-z]{2}(-[a-z]+)?$/.test(folder));
export const emojiIn = (language: string): EmojiClass[] => readJson(join(emojibase, language, 'data.json'));
export const { subgroups } = readJson<{ subgroups: Record<number, string> }>(join(emojibase, 'meta', 'groups.json'));

/** Without components and lone regional indicators. */
export const classes = emojiIn('en')
  .filter(({ group }) => group !== undefined && group !== COMPONENTS)
  .sort((a, b) => a.order - b.order);
export const classOfHexcode = new Map(classes.map(({ hexcode }, cls) => [hexcode, cls]));

/** Hex code points without variation selectors and padding: "0023-fe0f-20e3" and "23-20e3" are one emoji. */
export function codeKey(hexcode: string): string {
  return hexcode
    .toLowerCase()
    .split('-')
    .map((code) => code.replace(/^0+/, ''))
    .filter((code) => code !== 'fe0f')
    .join('-');
}

export const shownByCode = new Map<string, Shown>();
for (const [cls, { hexcode, skins }] of classes.entries()) {
  shownByCode.set(codeKey(hexcode), { cls, tone: '' });
  for (const skin of skins ?? []) {
    const tones: string[] = codeKey(skin.hexcode).match(/1f3f[b-f]/g) ?? [];
    const tone = TONES[tones[0] ?? ''];
    // Pairs of people with two different tones are left out.
    if (new Set(tones).size === 1 && tone) shownByCode.set(codeKey(skin.hexcode), { cls, tone });
  }
}

/** The flag of a country ("de") or of a part of one ("gb-sct"). */
export function shownByCountry(code: string): Shown | undefined {
  const points = code.includes('-')
    ? [0x1f3f4, ...[...code.replace('-', '')].map((letter) => 0xe0000 + letter.charCodeAt(0)), 0xe007f]
    : [...code].map((letter) => 0x1f1e6 + letter.charCodeAt(0) - 97);
  return shownByCode.get(points.map((point) => point.toString(16)).join('-'));
}

/** A class by a name; of two classes with one name that of the lower priority has it. */
interface Named {
  cls: number;
  priority: number;
}
const classOfName = new Map<string, Named>();

const plain = (name: string): string =>
  name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/&/g, 'and')
    .replace(/[^a-z0-9#*]+/g, '');

function addName(name: string, cls: number, priority: number): void {
  const key = plain(name);
  const known = classOfName.get(key);
  if (key && (!known || known.priority > priority)) classOfName.set(key, { cls, priority });
}

const HOURS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'];
for (const [cls, { label, group }] of classes.entries()) {
  addName(label, cls, 0);
  // Older names: "grinning cat face" for what is now a "grinning cat".
  if (/\bcat\b/.test(label)) addName(label.replace(/\bcat\b/, 'cat face'), cls, 12);
  const hour = label.match(/^(\w+)(?: o’clock|-(thirty))$/);
  if (hour) addName(`clock ${HOURS.indexOf(hour[1]!) + 1} ${hour[2] ?? 'oclock'}`, cls, 12);
  if (group === FLAGS) {
    addName(label.replace(/^flag: /, 'flag for '), cls, 0);
    addName(label.replace(/^flag: /, 'flag for flag '), cls, 0);
    addName(`flag for ${label}`, cls, 1);
    addName(label.replace(/^flag: /, 'flag for ').replace(/ \(.*\)/, ''), cls, 1);
  }
}
for (const [priority, file] of ['cldr', 'emojibase', 'github', 'iamcal', 'joypixels', 'emojibase-legacy'].entries()) {
  const names = readJson<Record<string, string | string[]>>(join(emojibase, 'en', 'shortcodes', `${file}.json`));
  for (const [hexcode, codes] of Object.entries(names)) {
    const cls = classOfHexcode.get(hexcode);
    for (const code of [codes].flat()) if (cls !== undefined) addName(code, cls, priority + 2);
  }
}
// The names that chars.json gives in the sets that have one also name the pictures of the sets that have none.
for (const set of ['noto', 'fluent-emoji-flat']) {
  for (const [code, slug] of Object.entries(readJson<Record<string, string>>(join(iconFolder(set), 'chars.json')))) {
    const shown = shownByCode.get(codeKey(code));
    if (shown && !shown.tone) addName(slug, shown.cls, 1);
  }
}
for (const [name, label] of Object.entries(readJson<Record<string, string>>(new URL('aliases.json', import.meta.url)))) {
  const named = classOfName.get(plain(label));
  if (!named) throw new Error(`aliases.json: no emoji "${label}"`);
  addName(name, named.cls, 9);
}

const WITH_TONE = /-(medium-light|dark|light|medium|medium-dark)(?:-skin-tone)?$/;

/** What an icon's name says it shows: the name of a class, or that of one and a skin tone. */
export function shownBySlug(slug: string): (Shown & Named) | undefined {
  const whole = classOfName.get(plain(slug));
  if (whole) return { ...whole, tone: '' };
  const [, name = '', tone = ''] = slug.match(/^(.*?)-(medium-light|medium-dark|light|medium|dark)(?:-skin-tone)?$/) ?? [];
  if (!Object.values(TONES).includes(tone) || WITH_TONE.test(name)) return undefined;
  const base = classOfName.get(plain(name));
  return base && classes[base.cls]!.skins ? { ...base, tone } : undefined;
}

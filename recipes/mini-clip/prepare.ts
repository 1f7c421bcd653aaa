import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { classes, classOfHexcode, emojiIn, languages, subgroups } from './emoji-classes.ts';
import { type IconSet, type Picture, picturesOf, renderedPictures } from './icon-pictures.ts';
import { type PageKind, pagePicture, sprite } from './render-picture.ts';

/**
 * Renders the icon packages into flat arrays that training maps into memory, and gathers the names and tags.
 *   node prepare.ts [--out DIR]      (default: $TMPDIR/mini-clip/data)
 * Writes: classes.json, texts.json, pictures.json, pictures.u8 (n x 96 x 96 premultiplied RGBA),
 *         pictures-small.u8 (the same at 48 px), eval/VENDOR-KIND.u8 (n x 64 x 64 RGB) with eval/VENDOR.json.
 */
const { out } = parseArgs({ options: { out: { type: 'string', default: join(tmpdir(), 'mini-clip', 'data') } } }).values;
/** Pictures that are rendered at a time, and pictures of which the results are held. */
const PARALLEL = 4;
const HELD = 256;

const TRAIN_SETS: IconSet[] = [
  { name: 'noto' },
  { name: 'fluent-emoji-flat' },
  { name: 'fluent-emoji', charsOf: 'fluent-emoji-flat' },
  { name: 'fluent-emoji-high-contrast', mono: true },
  { name: 'emojione' },
  { name: 'emojione-monotone', mono: true, flags: false },
  { name: 'fxemoji' },
  { name: 'streamline-emojis', variants: true },
  { name: 'circle-flags', codes: /^([a-z]{2}|gb-(?:eng|sct|wls))$/ },
  { name: 'flag', codes: /^([a-z]{2}|gb-(?:eng|sct|wls))-4x3$/ },
  { name: 'flagpack', codes: /^([a-z]{2}|gb-(?:eng|sct|wls))$/ },
  { name: 'cif', codes: /^([a-z]{2})$/ },
];
/** Never trained on: noto-v1 chooses the settings and the threshold, twemoji only reports. */
const EVAL_SETS: Record<string, PageKind[]> = { 'noto-v1': ['varied', 'clean'], twemoji: ['varied', 'harsh', 'small', 'wide', 'clean'] };
/** Regional variants share their fate, or the same word would be seen through the other one. */
const FATE_LANGUAGE: Record<string, string> = { 'en-gb': 'en', 'es-mx': 'es' };

mkdirSync(join(out, 'eval'), { recursive: true });
const texts = writeTexts();
const pictures = await writePictures();
const counts: Record<string, number> = {};
for (const { set } of pictures) counts[set] = (counts[set] ?? 0) + 1;
console.log(`${classes.length} classes, ${languages.length} languages, ${texts} labels, ${pictures.length} pictures`, counts);
const drawn = new Set(pictures.map(({ cls }) => cls));
console.log('classes without a picture:', classes.length - drawn.size);
for (const [name, kinds] of Object.entries(EVAL_SETS)) await writePagePictures(name, kinds);

/** The classes, and their labels and tags in every language; gives the number of labels. */
function writeTexts(): number {
  writeFileSync(
    join(out, 'classes.json'),
    JSON.stringify(classes.map(({ hexcode, emoji, label, group, subgroup }) => ({ hexcode, emoji, label, group, subgroup: subgroups[subgroup] }))),
  );
  const texts = languages.flatMap((lang) =>
    emojiIn(lang).flatMap(({ hexcode, label, tags = [], skins = [] }) => {
      const cls = classOfHexcode.get(hexcode);
      if (cls === undefined) return [];
      const toned = skins.filter(({ tone }) => typeof tone === 'number').map((skin) => skin.label);
      return [{ cls, lang, label, tags, toned, held: isHeldOut(hexcode, lang) }];
    }),
  );
  writeFileSync(join(out, 'texts.json'), JSON.stringify(texts));
  return texts.length;
}

/** One (emoji, language) in ten is held out, to report how unseen names fare. */
function isHeldOut(hexcode: string, language: string): boolean {
  const fate = createHash('sha256')
    .update(`held out ${hexcode} ${FATE_LANGUAGE[language] ?? language}`)
    .digest()
    .readUInt32LE(0);
  return fate % 10 === 0;
}

/** The pictures to train on; gives those that are not empty, in the order of the files. */
async function writePictures(): Promise<Pick<Picture, 'set' | 'cls' | 'tone' | 'mono'>[]> {
  const full = openSync(join(out, 'pictures.u8'), 'w');
  const small = openSync(join(out, 'pictures-small.u8'), 'w');
  const kept: Pick<Picture, 'set' | 'cls' | 'tone' | 'mono'>[] = [];
  await inOrder([...TRAIN_SETS.flatMap(picturesOf), ...renderedPictures()], sprite, (made, { set, cls, tone, mono }) => {
    if (!made) return;
    writeSync(full, made.full);
    writeSync(small, made.small);
    kept.push({ set, cls, tone, mono });
  });
  closeSync(full);
  closeSync(small);
  writeFileSync(join(out, 'pictures.json'), JSON.stringify(kept));
  return kept;
}

/** The pictures to measure on, as they would be met on pages. */
async function writePagePictures(set: string, kinds: PageKind[]): Promise<void> {
  const list = picturesOf({ name: set }).filter(({ tone }) => tone === '');
  writeFileSync(join(out, 'eval', `${set}.json`), JSON.stringify(list.map(({ cls }) => cls)));
  for (const kind of kinds) {
    const file = openSync(join(out, 'eval', `${set}-${kind}.u8`), 'w');
    await inOrder(
      list,
      (picture) => pagePicture(picture, kind),
      (pixels) => writeSync(file, pixels),
    );
    closeSync(file);
  }
  console.log(`${set}: ${list.length} pictures, kept out of training (${kinds.join(', ')})`);
}

/** Works on some pictures at a time, and hands on what came out in their order. */
async function inOrder<T>(pictures: Picture[], work: (picture: Picture) => Promise<T>, each: (result: T, picture: Picture) => void): Promise<void> {
  for (let start = 0; start < pictures.length; start += HELD) {
    const part = pictures.slice(start, start + HELD);
    const results: T[] = [];
    let next = 0;
    await Promise.all(
      Array.from({ length: PARALLEL }, async () => {
        while (next < part.length) {
          const at = next++;
          const picture = part[at]!;
          try {
            results[at] = await work(picture);
          } catch (error) {
            throw new Error(`${picture.set} ${picture.slug} can't be rendered`, { cause: error });
          }
        }
      }),
    );
    for (const [at, picture] of part.entries()) each(results[at]!, picture);
  }
}

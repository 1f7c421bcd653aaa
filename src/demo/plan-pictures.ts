// Which pictures the web has: every emoji once, then skin tones, then emoji again on another background.

import { pickBackground } from './backgrounds.ts';
import type { Background, BackgroundStyle } from './backgrounds.ts';
import type { Drawing, EmojiSet } from './emoji-set.ts';
import { randomFrom } from './random.ts';
import type { Random } from './random.ts';

export type Format = 'jpeg' | 'png' | 'webp';

export interface PictureSpec {
  /** Under pictures/. */
  file: string;
  format: Format;
  quality: number;
  width: number;
  height: number;
  drawing: Drawing;
  background: Background;
  /** Where the emoji stands, in pixels. */
  box: { x: number; y: number; side: number };
}

export interface PlannedPicture extends PictureSpec {
  /** Index into the set's emojis: the picture's meaning. */
  emoji: number;
  /** Index into the set's toned emojis, where it is drawn with a skin tone. */
  tone: number | null;
}

export const mimeTypes: Record<Format, string> = { jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp' };
export const extensions: Record<Format, string> = { jpeg: 'jpg', png: 'png', webp: 'webp' };

/** Most are small: a quick start downloads and resizes them all. PNG of a large picture is slow to make, so none is. */
function pickSize(random: Random, format: Format): { width: number; height: number } {
  const dice = random.next();
  let long = random.integer(256, 420);
  if (format !== 'png' && dice > 0.8) long = random.integer(420, 640);
  if (format !== 'png' && dice > 0.95) long = random.integer(640, 900);
  if (format !== 'png' && dice > 0.99) long = random.integer(900, 1200);
  const ratio = random.chance(0.6) ? 1 : 1 + random.next();
  const short = Math.max(Math.round(long / ratio), Math.min(long, 256));
  return random.chance(0.6) ? { width: long, height: short } : { width: short, height: long };
}

/** The emoji stays within the middle square, which is what a model that crops sees. */
function placeEmoji(random: Random, width: number, height: number): PictureSpec['box'] {
  const square = Math.min(width, height);
  const side = Math.round(square * (0.45 + 0.5 * random.next()));
  const free = square - side;
  return {
    x: Math.round((width - square) / 2 + free * random.next()),
    y: Math.round((height - square) / 2 + free * random.next()),
    side,
  };
}

export interface PictureWish {
  file: string;
  format: Format;
  width: number;
  height: number;
  style?: BackgroundStyle;
  quality?: number;
}

/** A picture of a given size and kind, for the planted files. */
export function specifyPicture(random: Random, drawing: Drawing, wish: PictureWish): PictureSpec {
  const { file, format, width, height } = wish;
  const background = pickBackground(random, wish.style);
  const box = placeEmoji(random, width, height);
  return { file, format, quality: wish.quality ?? 88, width, height, drawing, background, box };
}

export function planPictures(set: EmojiSet, seed: number, count: number): PlannedPicture[] {
  const order = randomFrom(seed, 'pictures');
  const subjects: { emoji: number; tone: number | null }[] = [
    ...order.shuffled([...set.emojis.keys()]).map((emoji) => ({ emoji, tone: null })),
    ...order.shuffled([...set.toned.keys()]).map((tone) => ({ emoji: set.toned[tone]?.base ?? 0, tone })),
  ];
  const again = order.shuffled(subjects);
  while (subjects.length < count) subjects.push(...again);

  return subjects.slice(0, count).map(({ emoji, tone }, index) => {
    const random = randomFrom(seed, 'picture', index);
    const drawing = tone === null ? set.emojis[emoji] : set.toned[tone];
    if (drawing === undefined) throw new Error(`no drawing ${emoji}`);
    const dice = random.next();
    const format = dice < 0.6 ? 'jpeg' : dice < 0.82 ? 'webp' : 'png';
    const size = pickSize(random, format);
    const file = `${String(index).padStart(5, '0')}.${extensions[format]}`;
    const quality = random.integer(80, 94);
    return { ...specifyPicture(random, drawing, { file, format, quality, ...size }), emoji, tone };
  });
}

import { createHash } from 'node:crypto';
import sharp, { type Region } from 'sharp';
import { randomSource } from '../../test/random-source.ts';
import type { Picture } from './icon-pictures.ts';

sharp.concurrency(1);

/** Side of a sprite, and its transparent border. */
const FULL = 96;
const BORDER = 2;
/** Alpha up to which a pixel counts as transparent. */
const TRANSPARENT = 24;

/** The picture cut to what is not transparent, fitted into 96 x 96 with a border, premultiplied RGBA; and its half. */
export async function sprite({ source }: Picture): Promise<{ full: Uint8Array; small: Uint8Array } | undefined> {
  const drawn = 'file' in source ? sharp(source.file).resize(160, 160, { fit: 'inside' }) : sharp(source.svg(160));
  const { data, info } = await drawn.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const box = opaqueBox(data, info.width, info.height);
  if (!box) return undefined;
  const inner = FULL - 2 * BORDER;
  const cut = await sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } })
    .extract(box)
    .resize(inner, inner, { fit: 'inside' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const full = new Uint8Array(FULL * FULL * 4);
  const x0 = (FULL - cut.info.width) >> 1;
  const y0 = (FULL - cut.info.height) >> 1;
  for (let y = 0; y < cut.info.height; y++) {
    for (let x = 0; x < cut.info.width; x++) {
      const from = (y * cut.info.width + x) * 4;
      const to = ((y + y0) * FULL + x + x0) * 4;
      const alpha = cut.data[from + 3]!;
      for (let channel = 0; channel < 3; channel++) full[to + channel] = Math.round((cut.data[from + channel]! * alpha) / 255);
      full[to + 3] = alpha;
    }
  }
  return { full, small: halved(full) };
}

function opaqueBox(rgba: Buffer, width: number, height: number): Region | undefined {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (rgba[(y * width + x) * 4 + 3]! <= TRANSPARENT) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  return right < left ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Each pixel the mean of four. */
function halved(full: Uint8Array): Uint8Array {
  const half = FULL / 2;
  const small = new Uint8Array(half * half * 4);
  for (let y = 0; y < half; y++) {
    for (let x = 0; x < half; x++) {
      for (let channel = 0; channel < 4; channel++) {
        const at = (dy: number, dx: number): number => full[((2 * y + dy) * FULL + 2 * x + dx) * 4 + channel]!;
        small[(y * half + x) * 4 + channel] = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1) + 2) >> 2;
      }
    }
  }
  return small;
}

/** The side of the emoji as a share of the page picture's, from and to. */
const SHARE = { clean: [0.92, 0.92], varied: [0.45, 0.95], harsh: [0.45, 0.95], small: [0.25, 0.4], wide: [0.5, 0.95] } as const;
export type PageKind = keyof typeof SHARE;

/** A page's picture: the emoji somewhere on a background, as JPEG, seen through the model's preprocessing. */
export async function pagePicture(picture: Picture, kind: PageKind): Promise<Buffer> {
  if (!('svg' in picture.source)) throw new Error(`${picture.set} ${picture.slug}: only drawings are put on pages`);
  const random = seededRandom(`${picture.set} ${picture.cls} ${kind}`);
  const side = 256 + Math.floor(random() * 320);
  let width = side;
  if (kind === 'wide') width = side * 2;
  else if (kind !== 'clean' && random() < 0.5) width = Math.round(side * (0.8 + random() * 0.45));
  const [low, high] = SHARE[kind];
  const pixels = Math.max(16, Math.floor(Math.min(width, side) * (low + random() * (high - low))));
  const emoji = await sharp(picture.source.svg(pixels)).png({ compressionLevel: 0 }).toBuffer({ resolveWithObject: true });
  const behind = kind === 'clean' ? Buffer.alloc(width * side * 3, 255) : background(width, side, random, kind === 'harsh');
  const [u, v] = kind === 'clean' ? [0.5, 0.5] : [random(), random()];
  const encoded = await sharp(behind, { raw: { width, height: side, channels: 3 } })
    .composite([{ input: emoji.data, left: Math.floor((width - emoji.info.width) * u), top: Math.floor((side - emoji.info.height) * v) }])
    .jpeg({ quality: 70 + Math.floor(random() * 25) })
    .toBuffer();
  return modelInput(encoded);
}

/** What Pairmill's model input is: the encoded picture decoded, flattened onto white, squashed to 64 x 64. */
function modelInput(encoded: Buffer): Promise<Buffer> {
  return sharp(encoded).flatten({ background: '#fff' }).toColourspace('srgb').resize(64, 64, { fit: 'fill', kernel: 'cubic' }).removeAlpha().raw().toBuffer();
}

/** Numbers from 0 to 1, always the same for a text. */
function seededRandom(seed: string): () => number {
  return randomSource(createHash('sha256').update(seed).digest().readUInt32LE(0)).next;
}

const BACKGROUNDS = ['plain', 'gradient', 'gradient', 'noise', 'noise', 'stripes', 'checks'] as const;
const CELLS = [6, 10, 16, 24, 40];

/**
 * Plain, gradient, noise, stripes or checks. As the example crawl draws them: light more often than dark, and the second
 * colour near the first but in gradients. `harsh`: any two colours, which can drown the emoji.
 */
function background(width: number, height: number, random: () => number, harsh: boolean): Buffer {
  const colour = (): number[] =>
    harsh
      ? [random() * 255, random() * 255, random() * 255]
      : rgbOf(random(), 0.1 + 0.6 * random(), random() < 0.8 ? 0.55 + 0.42 * random() : 0.2 + 0.3 * random());
  const first = colour();
  const kind = BACKGROUNDS[Math.floor(random() * BACKGROUNDS.length)]!;
  const near = harsh || kind === 'gradient' ? 1 : 0.45;
  const second = colour().map((value, channel) => first[channel]! + (value - first[channel]!) * near);
  const angle = random() * Math.PI;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const cell = CELLS[Math.floor(random() * CELLS.length)]!;
  const columns = Math.ceil(width / cell);
  const shares = kind === 'noise' ? Float32Array.from({ length: columns * Math.ceil(height / cell) }, random) : new Float32Array();
  /** Share of the second colour in a pixel. */
  const mixes = {
    plain: () => 0,
    gradient: (x, y) => Math.min(1, Math.max(0, 0.5 + ((x / width - 0.5) * cos + (y / height - 0.5) * sin))),
    stripes: (x, y) => Math.floor((x * cos + y * sin) / cell) & 1,
    checks: (x, y) => (Math.floor(x / cell) + Math.floor(y / cell)) & 1,
    noise: (x, y) => shares[Math.floor(y / cell) * columns + Math.floor(x / cell)]!,
  } satisfies Record<(typeof BACKGROUNDS)[number], (x: number, y: number) => number>;
  const mixAt = mixes[kind];
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const mix = mixAt(x, y);
      for (let channel = 0; channel < 3; channel++, i++) pixels[i] = first[channel]! + (second[channel]! - first[channel]!) * mix;
    }
  }
  return pixels;
}

/** Hue, saturation and lightness from 0 to 1. */
function rgbOf(hue: number, saturation: number, lightness: number): number[] {
  const a = saturation * Math.min(lightness, 1 - lightness);
  return [0, 8, 4].map((n) => {
    const k = (n + hue * 12) % 12;
    return 255 * (lightness - a * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
  });
}

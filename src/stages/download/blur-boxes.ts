import sharp from 'sharp';
import { z } from 'zod';

/** A part of a picture: left, top, right, bottom, each from 0 to 1. */
const Box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
export type Box = z.output<typeof Box>;

/** Pixels, three bytes each. */
export interface RgbPixels {
  data: Uint8Array;
  width: number;
  height: number;
}

/** By how much of its longer side a box is enlarged on all sides, and how wide the blur is (ImageNet's face obfuscation). */
const SHARE = 0.1;

/** The boxes of a column: JSON, or null where there is nothing to blur. */
export function parseBoxes(value: unknown): readonly Box[] | 'unreadable' {
  if (value === null || value === undefined || value === '') return [];
  try {
    return z.array(Box).parse(JSON.parse(String(value)));
  } catch {
    return 'unreadable';
  }
}

/**
 * Blurs the boxes as img2dataset does (blurrer.py): a Gaussian a tenth as wide as the largest box, mixed in by a mask that is blurred in
 * the same way, so that no edge is seen.
 */
export async function blurBoxes({ data, width, height }: RgbPixels, boxes: readonly Box[]): Promise<RgbPixels> {
  const mask = new Uint8Array(width * height);
  let longest = 0;
  for (const [x1, y1, x2, y2] of boxes) {
    const [left, top, right, bottom] = [x1 * width, y1 * height, x2 * width, y2 * height].map(Math.trunc) as [number, number, number, number];
    const side = Math.max(right - left, bottom - top);
    longest = Math.max(longest, side);
    const within = (value: number, size: number): number => Math.min(Math.max(Math.trunc(value), 0), size - 1);
    const [from, to] = [within(left - SHARE * side, width), within(right + SHARE * side, width)];
    for (let y = within(top - SHARE * side, height); y < within(bottom + SHARE * side, height); y++) mask.fill(255, y * width + from, y * width + to);
  }
  // OpenCV's standard deviation for a kernel of 2 x radius + 1.
  const radius = Math.max(1, Math.ceil(SHARE * longest));
  const sigma = 0.3 * (radius - 1) + 0.8;
  const [blurred, share] = await Promise.all([blur(data, width, height, 3, sigma), blur(mask, width, height, 1, sigma)]);
  const mixed = new Uint8Array(data.length);
  for (let i = 0; i < mixed.length; i++) {
    const part = share[Math.trunc(i / 3)]! / 255;
    mixed[i] = data[i]! * (1 - part) + blurred[i]! * part;
  }
  return { data: mixed, width, height };
}

function blur(data: Uint8Array, width: number, height: number, channels: 1 | 3, sigma: number): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels } })
    .blur({ sigma, minAmplitude: MIN_AMPLITUDE })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer();
}

/** Where the kernel ends: at 3.3 standard deviations, as OpenCV's of that size does. */
const MIN_AMPLITUDE = 0.004;

// One picture: background, emoji, encoder.

import sharp, { type Sharp } from 'sharp';
import { backgroundSvg, noisePixels } from './backgrounds.ts';
import type { Format, PictureSpec } from './plan-pictures.ts';

/** What crawlers take for a placeholder is smaller than this. */
export const smallestFile = 5000;

function emojiSvg({ drawing, box }: PictureSpec): string {
  const { x, y, side } = box;
  return `<svg x="${x}" y="${y}" width="${side}" height="${side}" viewBox="${drawing.viewBox}">${drawing.svg}</svg>`;
}

function wholeSvg({ width, height }: PictureSpec, content: string): Buffer {
  return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}">${content}</svg>`);
}

/** The picture as an SVG file; noise, which is made of pixels, is left out of it. */
export function pictureSvg(spec: PictureSpec): Buffer {
  return wholeSvg(spec, (backgroundSvg(spec.background, spec.width, spec.height) ?? '') + emojiSvg(spec));
}

export function drawPicture(spec: PictureSpec): Sharp {
  const { width, height, background } = spec;
  if (background.style !== 'noise') return sharp(pictureSvg(spec)).removeAlpha();
  const { data, ...grid } = noisePixels(background, width, height);
  return sharp(data, { raw: { ...grid, channels: 3 } })
    .resize(width, height, { fit: 'fill', kernel: background.seed % 2 === 0 ? 'cubic' : 'nearest' })
    .composite([{ input: wholeSvg(spec, emojiSvg(spec)) }])
    .removeAlpha();
}

export function encode(picture: Sharp, format: Format, quality: number): Promise<Buffer> {
  switch (format) {
    case 'jpeg':
      return picture.jpeg({ quality }).toBuffer();
    case 'webp':
      return picture.webp({ quality, effort: 1 }).toBuffer();
    case 'png':
      return picture.png({ compressionLevel: 4 }).toBuffer();
  }
}

/** Renders until the file is large enough to be taken for a picture: a plain background may need finer grain. */
export async function renderPicture(spec: PictureSpec): Promise<Buffer> {
  const attempts: PictureSpec[] = [
    spec,
    { ...spec, quality: 97 },
    { ...spec, quality: 97, background: { ...spec.background, style: 'noise', grain: 8 } },
    { ...spec, quality: 100, background: { ...spec.background, style: 'noise', grain: 2 } },
  ];
  for (const attempt of attempts) {
    const bytes = await encode(drawPicture(attempt), attempt.format, attempt.quality);
    if (bytes.length >= smallestFile) return bytes;
  }
  throw new Error(`${spec.file} stays under ${smallestFile} bytes`);
}

import sharp, { type OutputInfo, type Sharp } from 'sharp';
import { jpegCodec, type Pixels } from '../pictures/jpeg-codec.ts';
import type { ImagePreprocessing } from './model-entry.ts';
import { alignedBilinear, nearestPixel } from './nearest-pixels.ts';
import { type Crop, resample } from './resample.ts';

/**
 * Encoded picture -> pixels as the image tower sees them. As CLIP's own preprocessing, with two remarks:
 * - the picture is not rotated by its EXIF, and an embedded colour profile is ignored (PIL does neither);
 * - transparency is put on white, as img2dataset does when it packs. PIL's convert('RGB') would show whatever colours
 *   lie under transparent pixels, mostly black.
 */

const input = { failOn: 'truncated', ignoreIcc: true, sequentialRead: true } as const;

/** RGB from 0 to 255, size x size x 3: bytes, but for `aligned`, which does not round. Throws where the picture can't be decoded. */
export async function decodePicture(picture: Uint8Array, preprocessing: ImagePreprocessing): Promise<Uint8Array | Float32Array> {
  const { size, interpolation } = preprocessing;
  if (preprocessing.resize === 'libvips') return shrunkBySharp(picture, size, interpolation === 'bicubic' ? 'cubic' : 'linear');
  // Whole, and shrunk by PIL's own arithmetic: what the reference sees, to the byte.
  const { data, width, height } = jpegCodec().decode(picture) ?? (await decodeBySharp(picture));
  if (interpolation === 'aligned') return alignedBilinear(data, [width, height], size);
  const { to, crop } = placement(width, height, preprocessing);
  return interpolation === 'nearest' ? nearestPixel(data, [width, height], to, crop) : resample(data, [width, height], to, crop, interpolation);
}

/** To which sides a picture is resized, and what of it is kept. */
function placement(width: number, height: number, { size, fit, resizeTo = size, centre }: ImagePreprocessing): { to: [number, number]; crop: Crop } {
  const to: [number, number] = fit === 'crop' ? shortestSide(width, height, resizeTo) : [resizeTo, resizeTo];
  const [left, top] = to.map((length) => (centre === 'down' ? Math.floor((length - size) / 2) : centreOf(length, size))) as [number, number];
  return { to, crop: { left, top, width: size, height: size } };
}

async function shrunkBySharp(picture: Uint8Array, size: number, kernel: 'cubic' | 'linear'): Promise<Uint8Array> {
  const { data, info } = await colours(picture).resize(size, size, { fit: 'fill', kernel }).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  assertColours(info);
  return data;
}

function colours(picture: Uint8Array): Sharp {
  return sharp(picture, input).flatten({ background: '#fff' }).toColourspace('srgb');
}

/** What is no plain JPEG. */
async function decodeBySharp(picture: Uint8Array): Promise<Pixels> {
  const { data, info } = await colours(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  assertColours(info);
  return { data, width: info.width, height: info.height };
}

function assertColours({ width, height, channels }: OutputInfo): void {
  if (channels !== 3) throw new Error(`decoded to ${width} x ${height} x ${channels}`);
}

/** torchvision's Resize(size): the longer side is cut to a whole number, not rounded. */
function shortestSide(width: number, height: number, size: number): [number, number] {
  return width <= height ? [size, Math.floor((size * height) / width)] : [Math.floor((size * width) / height), size];
}

/** torchvision's CenterCrop: Python's round, which takes halves to the even number. */
function centreOf(length: number, size: number): number {
  const half = (length - size) / 2;
  return Number.isInteger(half) ? half : 2 * Math.round(half / 2);
}

/** Writes RGB from 0 to 255 as normalised planes [3, size, size] at `offset` of a batch. */
export function normaliser({ mean, std }: ImagePreprocessing): (pixels: Uint8Array | Float32Array, batch: Float32Array, offset: number) => void {
  const normalised = (value: number, channel: number): number => (value / 255 - mean[channel]!) / std[channel]!;
  // 256 values a channel: a table is faster than the arithmetic.
  const tables = [0, 1, 2].map((channel) => Float32Array.from({ length: 256 }, (_, value) => normalised(value, channel)));
  const [red, green, blue] = tables as [Float32Array, Float32Array, Float32Array];
  return (pixels, batch, offset) => {
    const plane = pixels.length / 3;
    let [r, g, b] = [offset, offset + plane, offset + 2 * plane];
    if (pixels instanceof Float32Array) {
      for (let i = 0; i < pixels.length; i++) batch[offset + (i % 3) * plane + Math.floor(i / 3)] = normalised(pixels[i]!, i % 3);
      return;
    }
    for (let i = 0; i < pixels.length; i += 3) {
      batch[r++] = red[pixels[i]!]!;
      batch[g++] = green[pixels[i + 1]!]!;
      batch[b++] = blue[pixels[i + 2]!]!;
    }
  };
}

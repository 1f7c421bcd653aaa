import sharp, { type OutputInfo } from 'sharp';
import { jpegCodec, type Pixels } from '../pictures/jpeg-codec.ts';
import type { Crop, PilResize } from '../pictures/pil-resize.ts';
import type { Size } from '../pictures/size.ts';
import type { ImagePreprocessing } from './model-entry.ts';
import { alignedBilinear, nearestPixel } from './nearest-pixels.ts';

/**
 * Encoded picture -> pixels as the image tower sees them: what CLIP's own preprocessing, PIL's convert('RGB'), makes of it. So the picture
 * is not rotated by its EXIF, a colour profile is ignored, and transparent pixels show the colours that lie under them. `download` has put
 * them on white before. mini alone, whose resize is libvips', sees them on white.
 */

const input = { failOn: 'truncated', ignoreIcc: true, sequentialRead: true } as const;

/** RGB from 0 to 255, size x size x 3: bytes, but for `aligned`, which does not round. Throws where the picture can't be decoded. */
export async function decodePicture(picture: Uint8Array, preprocessing: ImagePreprocessing): Promise<Uint8Array | Float32Array> {
  const { size, interpolation } = preprocessing;
  if (preprocessing.resize === 'libvips') return shrunkBySharp(picture, size, interpolation === 'bicubic' ? 'cubic' : 'linear');
  // Whole, and shrunk by PIL's own arithmetic: what the reference sees, to the byte.
  if (interpolation === 'aligned' || interpolation === 'nearest') {
    const { data, width, height } = jpegCodec().decode(picture) ?? (await decodeBySharp(picture));
    if (interpolation === 'aligned') return alignedBilinear(data, [width, height], size);
    const { to, crop } = placement({ width, height }, preprocessing);
    return nearestPixel(data, [width, height], to, crop);
  }
  const plan = (of: Size): PilResize => ({ ...placement(of, preprocessing), kernel: interpolation });
  const resized = jpegCodec().decodeResized(picture, plan);
  if (resized) return resized;
  const pixels = await decodeBySharp(picture);
  return jpegCodec().resize(pixels, plan(pixels));
}

/** To which sides a picture is resized, and what of it is kept. */
function placement({ width, height }: Size, { size, fit, resizeTo = size, centre }: ImagePreprocessing): { to: [number, number]; crop: Crop } {
  const to: [number, number] = fit === 'crop' ? shortestSide(width, height, resizeTo) : [resizeTo, resizeTo];
  const [left, top] = to.map((length) => (centre === 'down' ? Math.floor((length - size) / 2) : centreOf(length, size))) as [number, number];
  return { to, crop: { left, top, width: size, height: size } };
}

async function shrunkBySharp(picture: Uint8Array, size: number, kernel: 'cubic' | 'linear'): Promise<Uint8Array> {
  const { data, info } = await sharp(picture, input)
    .flatten({ background: '#fff' })
    .toColourspace('srgb')
    .resize(size, size, { fit: 'fill', kernel })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  assertColours(info);
  return data;
}

/** What is no plain JPEG. */
async function decodeBySharp(picture: Uint8Array): Promise<Pixels> {
  const image = sharp(picture, input);
  const inks = (await image.metadata()).space === 'cmyk';
  const pixels = inks ? image.pipelineColourspace('cmyk').toColourspace('cmyk') : image.toColourspace('srgb').removeAlpha();
  const { data, info } = await pixels.raw().toBuffer({ resolveWithObject: true });
  if (inks && info.channels === 4) return { data: rgbOfInks(data), width: info.width, height: info.height };
  assertColours(info);
  return { data, width: info.width, height: info.height };
}

/** PIL's own conversion of CMYK, which knows no profile: each ink takes its share of what black leaves over. */
function rgbOfInks(inks: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((inks.length / 4) * 3);
  for (let from = 0, to = 0; from < inks.length; from += 4) {
    const left = 255 - inks[from + 3]!;
    for (let ink = 0; ink < 3; ink++) {
      const product = inks[from + ink]! * left + 128;
      rgb[to++] = left - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
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

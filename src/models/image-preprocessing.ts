import sharp, { type OutputInfo, type Sharp } from 'sharp';
import { jpegCodec, type Pixels } from '../pictures/jpeg-codec.ts';
import type { ImagePreprocessing } from './model-entry.ts';
import { resample } from './resample.ts';

/**
 * Encoded picture -> pixels as the image tower sees them. As CLIP's own preprocessing, with two remarks:
 * - the picture is not rotated by its EXIF, and an embedded colour profile is ignored (PIL does neither);
 * - transparency is put on white, as img2dataset does when it packs. PIL's convert('RGB') would show whatever colours
 *   lie under transparent pixels, mostly black.
 */

const input = { failOn: 'truncated', ignoreIcc: true, sequentialRead: true } as const;

/** RGB bytes, size x size x 3. Throws where the picture can't be decoded. */
export async function decodePicture(picture: Uint8Array, { size, fit, interpolation, resize }: ImagePreprocessing): Promise<Uint8Array> {
  if (fit === 'crop' || resize !== 'libvips') {
    // Whole, and shrunk by PIL's own arithmetic: what CLIP's reference sees, to the byte.
    const { data, width, height } = jpegCodec().decode(picture) ?? (await decodeBySharp(picture));
    const to = fit === 'crop' ? shortestSide(width, height, size) : ([size, size] as const);
    return resample(data, [width, height], to, { left: centre(to[0], size), top: centre(to[1], size), width: size, height: size }, interpolation);
  }
  const { data, info } = await colours(picture)
    .resize(size, size, { fit: 'fill', kernel: interpolation === 'bicubic' ? 'cubic' : 'linear' })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
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
function centre(length: number, size: number): number {
  const half = (length - size) / 2;
  return Number.isInteger(half) ? half : 2 * Math.round(half / 2);
}

/** Writes RGB bytes as normalised planes [3, size, size] at `offset` of a batch. */
export function normaliser({ mean, std }: ImagePreprocessing): (pixels: Uint8Array, batch: Float32Array, offset: number) => void {
  // 256 values a channel: a table is faster than the arithmetic.
  const [red, green, blue] = [0, 1, 2].map((channel) => Float32Array.from({ length: 256 }, (_, value) => (value / 255 - mean[channel]!) / std[channel]!)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  return (pixels, batch, offset) => {
    const plane = pixels.length / 3;
    let [r, g, b] = [offset, offset + plane, offset + 2 * plane];
    for (let i = 0; i < pixels.length; i += 3) {
      batch[r++] = red[pixels[i]!]!;
      batch[g++] = green[pixels[i + 1]!]!;
      batch[b++] = blue[pixels[i + 2]!]!;
    }
  };
}

import sharp, { type Raw, type Sharp } from 'sharp';
import type { Size } from '../../pictures/size.ts';
import type { PictureFormat } from './picture-header.ts';

/** The picture that two ways begin from, decoded. */
export interface DecodedPixels {
  data: Uint8Array;
  raw: Raw;
}

/** A larger picture is decoded row by row, once for each way, so that it is never in memory as a whole. */
const MAX_PIXELS = 4_000_000;

/**
 * Decodes a picture of `stored` size for ways of which each scales it to its `target` (absent: not at all), where all of them begin from the
 * same pixels; undefined where they don't. Decoding costs more than all that follows it. From the pixels, sharp makes what it makes from the
 * body, byte for byte, as long as the picture has 8 bits, no profile and no rotation (`PictureHeader.plain`).
 */
export async function decodeOnce(
  open: () => Sharp,
  format: PictureFormat,
  stored: Size,
  targets: readonly (Size | undefined)[],
): Promise<DecodedPixels | undefined> {
  const [size, ...others] = targets.map((target) => decodedSize(format, stored, target));
  if (!size || others.some((other) => other?.width !== size.width || other.height !== size.height)) return undefined;
  if (size.width * size.height > MAX_PIXELS) return undefined;
  const isWhole = size.width === stored.width && size.height === stored.height;
  // Asked for that very size, sharp has to decode to it.
  const again = isWhole ? size : decodedSize(format, stored, size);
  if (again?.width !== size.width || again.height !== size.height) return undefined;
  const decoded = isWhole ? open() : open().resize({ ...size, fit: 'fill' });
  const { data, info } = await decoded.raw().toBuffer({ resolveWithObject: true });
  return { data, raw: { width: info.width, height: info.height, channels: info.channels } };
}

export const openPixels = ({ data, raw }: DecodedPixels): Sharp => sharp(data, { raw });

/**
 * The size at which libvips has a picture decoded that is scaled to `target`: libwebp shrinks it, by the smaller of the two ratios (sharp,
 * pipeline.cc, "shrink-on-load"). Undefined where rounding decides.
 */
export function decodedSize(format: PictureFormat, { width, height }: Size, target: Size | undefined): Size | undefined {
  const shrink = target ? Math.min(width / target.width, height / target.height) : 1;
  if (format !== 'webp' || shrink <= 1) return { width, height };
  const sides = [width * (1 / shrink), height * (1 / shrink)] as const;
  if (sides.some((side) => side % 1 === 0.5)) return undefined;
  return { width: Math.round(sides[0]), height: Math.round(sides[1]) };
}

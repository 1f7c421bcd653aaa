import type { Sharp } from 'sharp';
import { freeBytes } from '../../pictures/free-bytes.ts';
import { areaBrightness, HASHED_SIDE, meanBrightness, perceptualHash, type RawPixels } from '../../pictures/perceptual-hash.ts';
import { type DecodedPixels, decodedSize, openPixels } from './decode-once.ts';
import type { Size } from '../../pictures/size.ts';
import type { PictureFormat } from './picture-header.ts';

/** What of a picture decides how it is hashed: its bytes alone, so that the hash is the same however it is packed. */
export interface HashedPicture extends Size {
  /** EXIF's 1 to 8. */
  orientation: number;
  /** `PictureHeader.plain`. */
  plain?: boolean | undefined;
}

/** What libvips scales a picture to before it is hashed. */
const HASH_INPUT: Size = { width: 8 * HASHED_SIDE, height: 8 * HASHED_SIDE };

/** Up to here the areas of decoded pixels are added up in less time than libvips takes for its 256 x 256 (0.1 to 1.5 ms against 0.5 to 3). */
const MAX_AREA_PIXELS = 512 * 512;

/** The size to which a picture is scaled before it is hashed; undefined where the pixels as they are stored are looked at. */
export function hashTarget(picture: HashedPicture, format: PictureFormat): Size | undefined {
  const { width, height, orientation, plain } = picture;
  const byAreas = plain && orientation === 1 && Math.min(width, height) >= HASHED_SIDE && width * height <= MAX_AREA_PIXELS;
  // A WebP that is larger is decoded smaller, mostly to the very size at which it is packed.
  return byAreas && decodedSize(format, picture, HASH_INPUT)?.width === width ? undefined : HASH_INPUT;
}

/** The perceptual hash of the whole picture, whatever is packed of it. `decoded`: the pixels, where they are there already (`decodeOnce`). */
export async function hashPicture(picture: HashedPicture, format: PictureFormat, open: () => Sharp, decoded?: DecodedPixels): Promise<string> {
  const target = hashTarget(picture, format);
  if (!target) {
    const { data, raw } = decoded ?? (await decodeWhole(open()));
    const hash = perceptualHash(areaBrightness({ data, ...raw }));
    if (!decoded) freeBytes(data);
    return hash;
  }
  const input = decoded ? openPixels(decoded) : open();
  const oriented = picture.orientation > 1 ? input.autoOrient() : input;
  const pixels = await oriented
    .flatten({ background: '#ffffff' })
    .resize({ ...target, fit: 'fill', kernel: 'linear' })
    .toColourspace('srgb')
    .raw()
    .toBuffer();
  const hash = perceptualHash(meanBrightness(pixels));
  freeBytes(pixels);
  return hash;
}

async function decodeWhole(input: Sharp): Promise<{ data: Uint8Array; raw: Omit<RawPixels, 'data'> }> {
  const { data, info } = await input.raw().toBuffer({ resolveWithObject: true });
  return { data, raw: { width: info.width, height: info.height, channels: info.channels } };
}

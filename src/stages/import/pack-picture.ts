import sharp from 'sharp';
import { messageOf } from '../../contracts/errors.ts';
import type { ImportOptions } from './options.ts';

/** A picture as it is packed. */
export interface PackedPicture {
  bytes: Uint8Array;
  suffix: 'jpg' | 'png' | 'webp';
  width: number;
  height: number;
  originalWidth: number;
  originalHeight: number;
}

/** Why a picture is not packed. */
export interface Refused {
  reason: 'not-an-image' | 'too-many-pixels' | 'decode-failed';
  value: string;
  threshold: string | null;
}

const suffixes = { jpeg: 'jpg', png: 'png', webp: 'webp' } as const;
const QUALITY = 95;

/**
 * The bytes as they are, where the picture is a JPEG, PNG or WebP that stands upright and is small enough; else a JPEG of it: rotated by
 * its EXIF, on white, its longer side `maxSide`. Either way it has been decoded whole.
 */
export async function packPicture(bytes: Uint8Array, { maxSide, maxPixels }: Pick<ImportOptions, 'maxSide' | 'maxPixels'>): Promise<PackedPicture | Refused> {
  if (bytes.length === 0) return { reason: 'not-an-image', value: 'the file is empty', threshold: null };
  const input = sharp(bytes, { failOn: 'truncated', limitInputPixels: maxPixels, sequentialRead: true });
  try {
    const { format, width, height, orientation = 1, pages = 1, autoOrient } = await input.metadata();
    if (format === 'svg') return { reason: 'not-an-image', value: 'svg', threshold: null };
    if (width * height > maxPixels) return { reason: 'too-many-pixels', value: String(width * height), threshold: String(maxPixels) };
    const sizes = { originalWidth: autoOrient.width, originalHeight: autoOrient.height };
    const fits = maxSide === 0 || Math.max(width, height) <= maxSide;
    const suffix = format in suffixes ? suffixes[format as keyof typeof suffixes] : undefined;
    if (suffix && fits && orientation <= 1 && pages === 1) {
      await input.clone().resize(1, 1, { fit: 'fill', fastShrinkOnLoad: false }).raw().toBuffer();
      return { bytes, suffix, width, height, ...sizes };
    }
    let picture = input.autoOrient().flatten({ background: '#ffffff' });
    if (!fits) picture = picture.resize({ width: maxSide, height: maxSide, fit: 'inside' });
    const { data, info } = await picture.jpeg({ quality: QUALITY }).toBuffer({ resolveWithObject: true });
    return { bytes: data, suffix: 'jpg', width: info.width, height: info.height, ...sizes };
  } catch (error) {
    const message = messageOf(error).split('\n')[0]!;
    if (message.includes('unsupported image format')) return { reason: 'not-an-image', value: message, threshold: null };
    if (message.includes('exceeds pixel limit')) return { reason: 'too-many-pixels', value: 'declared', threshold: String(maxPixels) };
    return { reason: 'decode-failed', value: message, threshold: null };
  }
}

import { z } from 'zod';
import { Sample } from '../../contracts/records.ts';
import type { DownloadOptions } from './options.ts';

/** The columns of samples/ as the options have them: `exif` and the hash of the file only where they are asked for, as in img2dataset. */
export function sampleSchema({ extractExif, computeHash, phash }: Pick<DownloadOptions, 'extractExif' | 'computeHash' | 'phash'>): z.ZodObject {
  const { exif, sha256, ...fixed } = Sample.shape;
  return z.object({
    ...fixed,
    ...(extractExif && { exif }),
    ...(computeHash !== 'none' && { [computeHash]: sha256 }),
    ...(phash && { phash: z.string().nullable().describe('perceptual hash of the picture, 16 hexadecimal digits; null where none was decoded') }),
  });
}

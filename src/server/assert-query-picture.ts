import sharp from 'sharp';
import { sniffFormat } from '../stages/download/picture-header.ts';

/**
 * Looks at the header of a picture that was sent to search by, before anything is decoded: a file of 31 KB may hold 256 million
 * pixels, which take a gigabyte. Throws an Error that says what is wrong with it.
 */
export async function assertQueryPicture(picture: Uint8Array, maxPixels: number): Promise<void> {
  if (sniffFormat(picture) === undefined) throw new Error('it must be a JPEG, PNG or WebP');
  // By the decoder's own reading of the header: another reader could be told another size.
  const { width, height } = await sharp(picture, { limitInputPixels: false }).metadata();
  if (width * height > maxPixels) throw new Error(`it has ${width} x ${height} pixels, and ${maxPixels} are the limit (--max-pixels); send a smaller one`);
}

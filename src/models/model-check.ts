import sharp from 'sharp';

/** What `models verify` finds of one property of a model. */
export interface ModelCheck {
  /** `unknown`: nothing here can say. */
  verdict: 'right' | 'wrong' | 'unknown';
  what: string;
}

export const check = (what: string, holds: boolean): ModelCheck => ({ verdict: holds ? 'right' : 'wrong', what });

/** What a model made of an item, or why it could not. */
type Result = Float32Array | Error;

export const differs = ([first, ...others]: readonly Result[]): boolean => others.every((other) => !same(first!, other));

export const same = (a: Result, b: Result): boolean =>
  !(a instanceof Error) && !(b instanceof Error) && a.length === b.length && a.every((value, i) => value === b[i]);

export const sampleTexts: readonly string[] = ['a photo of a dog', 'two red apples on a table, and a long line of words after them', 'x'];

/** The same picture in other bytes: an encoder remembers the vectors of bytes that it has seen. */
export const again = (picture: Uint8Array): Uint8Array => Buffer.concat([picture, Buffer.from([0])]);

/** A picture of coloured squares; another for each number. */
export function samplePicture(number: number): Promise<Buffer> {
  const grid = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => (i * i * 31 + i * 17 * number + number * 101) & 255);
  return sharp(grid, { raw: { width: 8, height: 8, channels: 3 } })
    .resize(256, 256, { kernel: 'nearest' })
    .png()
    .toBuffer();
}

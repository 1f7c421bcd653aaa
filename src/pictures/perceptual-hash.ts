/**
 * The perceptual hash "pHash" of 64 bits, as `imagehash.phash` of PyPI computes it: the picture as 32 x 32 values of brightness, their
 * cosine transform, and of its 8 x 8 lowest frequencies which are above their median. Pictures that look alike differ in few bits.
 */

/** Side of the picture that is hashed. */
export const HASHED_SIDE = 32;
const LOW = 8;
/** Side of the squares of pixels whose mean is one value of brightness. */
const SQUARE = 8;

/**
 * Cosines as integers of 14 bits: all sums stay whole numbers that a double holds, so that a hash is the same on every machine, and that of
 * a picture of one colour is no noise.
 */
const COSINES: readonly (readonly number[])[] = Array.from({ length: LOW }, (_, frequency) =>
  Array.from({ length: HASHED_SIDE }, (_value, at) => Math.round(16_384 * Math.cos((Math.PI * frequency * (2 * at + 1)) / (2 * HASHED_SIDE)))),
);

/** Brightness, row by row, as 16 hexadecimal digits; the first bit is the picture's mean, then come the rows of frequencies. */
export function perceptualHash(brightness: ArrayLike<number>): string {
  // Along the rows, then along the columns.
  const across = new Float64Array(HASHED_SIDE * LOW);
  for (let y = 0; y < HASHED_SIDE; y++)
    for (let u = 0; u < LOW; u++) {
      const cosines = COSINES[u]!;
      let sum = 0;
      for (let x = 0; x < HASHED_SIDE; x++) sum += brightness[y * HASHED_SIDE + x]! * cosines[x]!;
      across[y * LOW + u] = sum;
    }
  const low = new Float64Array(LOW * LOW);
  for (let v = 0; v < LOW; v++)
    for (let u = 0; u < LOW; u++) {
      let sum = 0;
      for (let y = 0; y < HASHED_SIDE; y++) sum += across[y * LOW + u]! * COSINES[v]![y]!;
      low[v * LOW + u] = sum;
    }
  const sorted = low.toSorted();
  const median = (sorted[31]! + sorted[32]!) / 2;
  let digits = '';
  for (let i = 0; i < low.length; i += 4) {
    let digit = 0;
    for (let bit = 0; bit < 4; bit++) digit = 2 * digit + (low[i + bit]! > median ? 1 : 0);
    digits += digit.toString(16);
  }
  return digits;
}

/** PIL's brightness, as the mean of 8 x 8 pixels each, of RGB pixels of eight times the hashed side. */
export function meanBrightness(rgb: Uint8Array): Float64Array {
  const means = new Float64Array(HASHED_SIDE * HASHED_SIDE);
  const row = 3 * SQUARE * HASHED_SIDE;
  for (let i = 0; i < means.length; i++) {
    const start = Math.trunc(i / HASHED_SIDE) * SQUARE * row + (i % HASHED_SIDE) * 3 * SQUARE;
    let [red, green, blue] = [0, 0, 0];
    for (let line = start; line < start + SQUARE * row; line += row)
      for (let at = line; at < line + 3 * SQUARE; at += 3) {
        red += rgb[at]!;
        green += rgb[at + 1]!;
        blue += rgb[at + 2]!;
      }
    means[i] = Math.round((red * 299 + green * 587 + blue * 114) / (1000 * SQUARE * SQUARE));
  }
  return means;
}

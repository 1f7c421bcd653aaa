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

export interface RawPixels {
  data: Uint8Array;
  width: number;
  height: number;
  /** Grey or RGB, then alpha. */
  channels: 1 | 2 | 3 | 4;
}

/** PIL's brightness of decoded pixels on white, as the mean of each of 32 x 32 equal areas. Both sides have at least 32 pixels. */
export function areaBrightness({ data, width, height, channels }: RawPixels): Float64Array {
  const [columns, rows] = [areasOf(width), areasOf(height)];
  const sums = new Float64Array(HASHED_SIDE * HASHED_SIDE);
  const line = new Float64Array(width);
  for (let row = 0, y = 0; row < HASHED_SIDE; row++) {
    // A row of pixels that the border to the next areas runs through is read for both.
    const { end, share } = rows[row]!;
    for (; y < end; y++) {
      readLine(line, data, y * width * channels, channels);
      addMeans(sums, row, line, columns, row > 0 && y === rows[row - 1]!.end - 1 ? 1 - rows[row - 1]!.share : y === end - 1 ? share : 1);
    }
    if (share < 1) y--;
  }
  const size = (width * height * 1000) / (HASHED_SIDE * HASHED_SIDE);
  return sums.map((sum) => Math.round(sum / size));
}

/** Where each of 32 equal areas of a side ends: after pixel `end` - 1, of which `share` belongs to it and the rest to the next. */
function areasOf(side: number): { end: number; share: number }[] {
  return Array.from({ length: HASHED_SIDE }, (_, area) => {
    const border = ((area + 1) * side) / HASHED_SIDE;
    const end = Math.ceil(border);
    return { end, share: 1 - (end - border) };
  });
}

/** The brightness of a row of pixels, times 1000. */
function readLine(line: Float64Array, data: Uint8Array, start: number, channels: number): void {
  const alpha = channels % 2 === 0 ? channels - 1 : 0;
  for (let x = 0, at = start; x < line.length; x++, at += channels) {
    const brightness = channels < 3 ? 1000 * data[at]! : 299 * data[at]! + 587 * data[at + 1]! + 114 * data[at + 2]!;
    line[x] = alpha === 0 ? brightness : 255_000 + ((brightness - 255_000) * data[at + alpha]!) / 255;
  }
}

/** Adds a line of pixels, with a weight, to the areas of a row. */
function addMeans(sums: Float64Array, row: number, line: Float64Array, columns: readonly { end: number; share: number }[], weight: number): void {
  let carried = 0;
  for (let column = 0, x = 0; column < HASHED_SIDE; column++) {
    const { end, share } = columns[column]!;
    let sum = carried;
    for (; x < end - 1; x++) sum += line[x]!;
    const last = line[x++]!;
    sums[row * HASHED_SIDE + column]! += weight * (sum + last * share);
    carried = last * (1 - share);
  }
}

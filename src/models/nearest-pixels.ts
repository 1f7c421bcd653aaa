import type { Crop } from '../pictures/pil-resize.ts';

/** Resizing that weighs no more than the pixels next to a place, as some classifiers were trained with it. */

/** RGB bytes of width x height, resized to `to` and cut to `crop` as PIL does with NEAREST: the pixel under each centre. */
export function nearestPixel(pixels: Uint8Array, [width, height]: readonly [number, number], to: readonly [number, number], crop: Crop): Uint8Array {
  const result = new Uint8Array(crop.width * crop.height * 3);
  const columns = Int32Array.from({ length: crop.width }, (_, x) => Math.floor(((x + crop.left + 0.5) * width) / to[0]));
  let at = 0;
  for (let y = 0; y < crop.height; y++) {
    const row = Math.floor(((y + crop.top + 0.5) * height) / to[1]) * width;
    for (const column of columns) {
      const from = 3 * (row + column);
      result[at++] = pixels[from]!;
      result[at++] = pixels[from + 1]!;
      result[at++] = pixels[from + 2]!;
    }
  }
  return result;
}

/**
 * RGB bytes of width x height as numbers from 0 to 255 of size x size: TensorFlow.js' `resizeBilinear` with `alignCorners`, which takes
 * four pixels of the picture however much it shrinks.
 */
export function alignedBilinear(pixels: Uint8Array, [width, height]: readonly [number, number], size: number): Float32Array {
  const result = new Float32Array(size * size * 3);
  const across = neighbours(width, size);
  const down = neighbours(height, size);
  let at = 0;
  for (const [top, bottom, below] of down) {
    for (const [left, right, beside] of across) {
      for (let channel = 0; channel < 3; channel++) {
        const value = (row: number, column: number): number => pixels[3 * (row * width + column) + channel]!;
        const upper = value(top, left) + (value(top, right) - value(top, left)) * beside;
        const lower = value(bottom, left) + (value(bottom, right) - value(bottom, left)) * beside;
        result[at++] = upper + (lower - upper) * below;
      }
    }
  }
  return result;
}

/** For each output position: the input positions before and after, and how near the second is. */
function neighbours(from: number, to: number): (readonly [before: number, after: number, share: number])[] {
  const scale = to > 1 ? (from - 1) / (to - 1) : 0;
  return Array.from({ length: to }, (_, i) => {
    const place = scale * i;
    const before = Math.floor(place);
    return [before, Math.min(from - 1, Math.ceil(place)), place - before] as const;
  });
}

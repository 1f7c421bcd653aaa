/**
 * PIL's resampling (Pillow, libImaging/Resample.c: `ImagingResample`, 8 bits a channel), which is CLIP's: the same bytes.
 * libvips comes within a step of 255 where a picture shrinks, but not where it grows, which small crawled pictures do.
 */

/** A rectangle of the resized picture: only that is computed. */
export interface Crop {
  left: number;
  top: number;
  width: number;
  height: number;
}

const kernels = {
  bilinear: { support: 1, weight: (x: number) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    weight: (signed: number) => {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    },
  },
  lanczos: { support: 3, weight: (x: number) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};
export type Resampling = keyof typeof kernels;

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Fixed-point weights: 8 bits of value, 2 of headroom, the rest of 32. */
const PRECISION_BITS = 32 - 8 - 2;

/** For each output position: the first input position, how many, and their weights. */
interface Taps {
  first: Int32Array;
  count: Int32Array;
  weights: Int32Array;
  /** Weights of one position. */
  stride: number;
}

/** RGB bytes of width x height, resized to `to` and cut to `crop`. */
export function resample(
  pixels: Uint8Array,
  [width, height]: readonly [number, number],
  to: readonly [number, number],
  crop: Crop,
  interpolation: Resampling,
): Uint8Array {
  const across = taps(width, to[0], crop.left, crop.width, interpolation);
  const down = taps(height, to[1], crop.top, crop.height, interpolation);
  // Only the rows that the second pass reads.
  const firstRow = down.first[0]!;
  const rows = down.first[crop.height - 1]! + down.count[crop.height - 1]! - firstRow;
  const between = new Uint8Array(rows * crop.width * 3);
  for (let x = 0; x < crop.width; x++) {
    const [first, count, at] = [across.first[x]!, across.count[x]!, x * across.stride];
    for (let y = 0; y < rows; y++) {
      let [r, g, b] = [HALF, HALF, HALF];
      let from = 3 * ((firstRow + y) * width + first);
      for (let i = 0; i < count; i++, from += 3) {
        const weight = across.weights[at + i]!;
        r = (r + pixels[from]! * weight) | 0;
        g = (g + pixels[from + 1]! * weight) | 0;
        b = (b + pixels[from + 2]! * weight) | 0;
      }
      const out = 3 * (y * crop.width + x);
      between[out] = clip(r);
      between[out + 1] = clip(g);
      between[out + 2] = clip(b);
    }
  }
  const result = new Uint8Array(crop.width * crop.height * 3);
  const line = 3 * crop.width;
  for (let y = 0; y < crop.height; y++) {
    const [first, count, at] = [down.first[y]! - firstRow, down.count[y]!, y * down.stride];
    for (let x = 0; x < line; x++) {
      let sum = HALF;
      let from = first * line + x;
      for (let i = 0; i < count; i++, from += line) sum = (sum + between[from]! * down.weights[at + i]!) | 0;
      result[y * line + x] = clip(sum);
    }
  }
  return result;
}

const HALF = 1 << (PRECISION_BITS - 1);

function clip(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function taps(from: number, to: number, start: number, length: number, interpolation: Resampling): Taps {
  const kernel = kernels[interpolation];
  const scale = from / to;
  const spread = Math.max(scale, 1);
  const support = kernel.support * spread;
  const stride = Math.ceil(support) * 2 + 1;
  const result: Taps = { first: new Int32Array(length), count: new Int32Array(length), weights: new Int32Array(length * stride), stride };
  for (let i = 0; i < length; i++) {
    const centre = (start + i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(from, Math.trunc(centre + support + 0.5)) - first;
    const weights = Array.from({ length: count }, (_, x) => kernel.weight((x + first - centre + 0.5) / spread));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    result.first[i] = first;
    result.count[i] = count;
    for (const [x, weight] of weights.entries()) {
      const fixed = (weight / sum) * (1 << PRECISION_BITS);
      result.weights[i * stride + x] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
  }
  return result;
}

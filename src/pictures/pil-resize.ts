/**
 * PIL's resampling (Pillow, libImaging/Resample.c: `ImagingResample`, 8 bits a channel), which is CLIP's: the same bytes.
 * libvips comes within a step of 255 where a picture shrinks, but not where it grows, which small crawled pictures do.
 */
export interface PilResize {
  /** Size that the whole picture is resized to: width and height. */
  to: readonly [number, number];
  crop: Crop;
  kernel: PilKernel;
}

/** A rectangle of the resized picture: only that is computed. */
export interface Crop {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Their numbers in recipes/picture-wasm/pil-resize.c. */
export const pilKernels = { bilinear: 0, bicubic: 1, lanczos: 2 } as const;
export type PilKernel = keyof typeof pilKernels;

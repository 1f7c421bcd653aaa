import type { DownloadOptions } from './options.ts';

/** What is done to a picture's size: plain numbers, so that it can be tested without pixels. */
export interface ResizeGeometry {
  /** Size after scaling; absent where the picture is not scaled. */
  scaled?: { width: number; height: number } | undefined;
  /** True where it becomes smaller. */
  shrinks: boolean;
  /** White margins. */
  margins?: { top: number; bottom: number; left: number; right: number } | undefined;
  /** What is cut out of the scaled picture. */
  crop?: { left: number; top: number; width: number; height: number } | undefined;
  width: number;
  height: number;
}

/** img2dataset's resize modes (resizer.py) with albumentations' rounding, for a picture of `width` x `height`. */
export function resizeGeometry(
  width: number,
  height: number,
  { imageSize, resizeMode, resizeOnlyIfBigger }: Pick<DownloadOptions, 'imageSize' | 'resizeMode' | 'resizeOnlyIfBigger'>,
): ResizeGeometry {
  const asIs: ResizeGeometry = { shrinks: false, width, height };
  if (resizeMode === 'no') return asIs;
  const byShorter = resizeMode === 'keep_ratio' || resizeMode === 'center_crop';
  const side = byShorter ? Math.min(width, height) : Math.max(width, height);
  const shrinks = side > imageSize;
  if (resizeOnlyIfBigger && !shrinks) return asIs;

  const scale = imageSize / side;
  const scaledWidth = Math.max(1, roundHalfToEven(width * scale));
  const scaledHeight = Math.max(1, roundHalfToEven(height * scale));
  const geometry: ResizeGeometry = { shrinks, width: scaledWidth, height: scaledHeight };
  if (side !== imageSize) geometry.scaled = { width: scaledWidth, height: scaledHeight };
  if (resizeMode === 'border') {
    const [x, y] = [imageSize - scaledWidth, imageSize - scaledHeight];
    const [left, top] = [Math.floor(x / 2), Math.floor(y / 2)];
    if (x > 0 || y > 0) geometry.margins = { left, right: x - left, top, bottom: y - top };
    geometry.width = geometry.height = imageSize;
  } else if (resizeMode === 'center_crop') {
    const [x, y] = [scaledWidth - imageSize, scaledHeight - imageSize];
    if (x > 0 || y > 0) geometry.crop = { left: Math.floor(x / 2), top: Math.floor(y / 2), width: imageSize, height: imageSize };
    geometry.width = geometry.height = imageSize;
  }
  return geometry;
}

/** Python's round. */
function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value - Math.trunc(value)) === 0.5 ? 2 * Math.round(value / 2) : rounded;
}

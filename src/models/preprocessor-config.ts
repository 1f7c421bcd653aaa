import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../contracts/errors.ts';
import type { ImagePreprocessing, Interpolation } from './model-entry.ts';

/** The hub's preprocessor_config.json: how transformers prepares pictures for a model. */

const Side = z.union([z.int(), z.object({ shortest_edge: z.int() }), z.object({ height: z.int(), width: z.int() })]);
const Triple = z.tuple([z.number(), z.number(), z.number()]);

/** PIL's numbers. */
const interpolations: Readonly<Record<number, Interpolation>> = { 0: 'nearest', 1: 'lanczos', 2: 'bilinear', 3: 'bicubic' };

export const Preprocessor = z.looseObject({
  /** `…ImageProcessor`, or `…FeatureExtractor` in old files. */
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  size: Side,
  do_resize: z.literal(true, 'only true is supported').default(true),
  do_center_crop: z.boolean().optional(),
  crop_size: Side.optional(),
  /** ConvNeXT: what is cut out, as a share of what the shortest side was resized to. */
  crop_pct: z.number().positive().max(1).optional(),
  resample: z
    .union([z.literal(0), z.literal(1), z.literal(2), z.literal(3)], 'only 0, 1, 2 and 3 (nearest, lanczos, bilinear, bicubic) are supported')
    .optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  rescale_offset: z.boolean().default(false),
  do_normalize: z.boolean().default(true),
  image_mean: Triple.optional(),
  image_std: Triple.optional(),
  /** EfficientNet: true where the deviation divides twice. */
  include_top: z.boolean().default(true),
});
export type Preprocessor = z.output<typeof Preprocessor>;

/**
 * The same as numbers. Throws UsageError where the model does not see a square.
 * `centre`: how the reference rounds the middle of a picture.
 */
export function preprocessingOf(from: Preprocessor, folder: string, centre?: ImagePreprocessing['centre']): ImagePreprocessing {
  const refuse = (why: string): UsageError => new UsageError(`${join(folder, 'preprocessor_config.json')}: ${why}.`);
  const processor = from.image_processor_type ?? from.feature_extractor_type ?? '';
  const { size, crop_size: crop } = from;
  const shortest = typeof size === 'number' ? size : 'shortest_edge' in size ? size.shortest_edge : undefined;
  const resized = shortest ?? (size as { height: number }).height;
  if (shortest === undefined && (size as { width: number }).width !== resized)
    throw refuse(`size ${JSON.stringify(size)} is not a square, and only squares are supported`);
  const scale = {
    ...(centre && { centre }),
    interpolation: interpolations[from.resample ?? (processor.startsWith('ViT') ? 2 : 3)]!,
    ...scaling(from, processor),
  };
  // transformers' ConvNextImageProcessor: models of 384 pixels and more are squashed.
  if (processor.startsWith('ConvNext') || from.crop_pct !== undefined) {
    if (resized >= CONVNEXT_SQUASHED) return { size: resized, fit: 'squash', ...scale };
    return { size: resized, fit: 'crop', resizeTo: Math.trunc(resized / (from.crop_pct ?? CONVNEXT_SHARE)), ...scale };
  }
  const cuts = from.do_center_crop ?? shortest !== undefined;
  const side = !cuts || crop === undefined ? resized : typeof crop === 'number' ? crop : 'shortest_edge' in crop ? crop.shortest_edge : crop.height;
  if (side > resized) throw refuse(`crop_size ${side} is larger than size ${resized}, which is not supported`);
  return { size: side, fit: shortest !== undefined && cuts ? 'crop' : 'squash', ...(side < resized && { resizeTo: resized }), ...scale };
}

const CONVNEXT_SQUASHED = 384;
const CONVNEXT_SHARE = 224 / 256;

/** Rescaling and normalisation as one mean and deviation of values from 0 to 1. */
function scaling(from: Preprocessor, processor: string): Pick<ImagePreprocessing, 'mean' | 'std'> {
  const factor = from.do_rescale ? from.rescale_factor * 255 : 255;
  const offset = from.do_rescale && from.rescale_offset ? 1 : 0;
  const plain = !from.do_normalize || from.image_mean === undefined || from.image_std === undefined;
  const mean = plain ? ([0, 0, 0] as const) : from.image_mean!;
  const std = plain ? ([1, 1, 1] as const) : from.image_std!;
  const twice = !plain && processor.startsWith('EfficientNet') && from.include_top;
  const each = <T>(of: (channel: number) => T): [T, T, T] => [of(0), of(1), of(2)];
  return { mean: each((i) => (mean[i]! + offset) / factor), std: each((i) => (twice ? std[i]! ** 2 : std[i]!) / factor) };
}

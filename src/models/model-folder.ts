import { access, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { messageOf, RunError, systemCode, UsageError } from '../contracts/errors.ts';
import type { ImagePreprocessing, ModelEntry, TextTower } from './model-entry.ts';

/**
 * Reads the entry of a model that lies in a local folder with the layout of CLIP models on the hub: config.json,
 * preprocessor_config.json, tokenizer.json, and vision_model.onnx and text_model.onnx, beside them or in onnx/.
 * What the hub's files don't say may stand under `pairmill` in config.json (docs/models.md).
 */

const Thresholds = z.object({ en: z.number(), multi: z.number(), nolang: z.number() });

const Config = z.looseObject({
  model_type: z.string().optional(),
  /** SigLIP's configurations name no length of an embedding but the towers' width. */
  projection_dim: z.int().positive().optional(),
  text_config: z
    .looseObject({
      max_position_embeddings: z.int().positive().optional(),
      hidden_size: z.int().positive().optional(),
      pad_token_id: z.int().nonnegative().nullish(),
    })
    .default({}),
  pairmill: z
    .looseObject({
      id: z.string().optional(),
      threshold: Thresholds.optional(),
      tokenization: z.enum(['open-clip', 'hub']).default('hub'),
      headsFor: z.string().optional(),
      padding: z.enum(['own', 'full']).optional(),
      resize: z.literal('libvips').optional(),
    })
    .optional(),
});

const Side = z.union([z.int(), z.object({ shortest_edge: z.int() }), z.object({ height: z.int(), width: z.int() })]);
const Triple = z.tuple([z.number(), z.number(), z.number()]);
const Preprocessor = z.looseObject({
  size: Side,
  do_center_crop: z.boolean().default(true),
  crop_size: Side.optional(),
  /** PIL's numbers: 2 bilinear, 3 bicubic. */
  resample: z.union([z.literal(2), z.literal(3)]).default(3),
  do_normalize: z.boolean().default(true),
  image_mean: Triple.optional(),
  image_std: Triple.optional(),
});

/** What config.json leaves out where it has the family's usual value. */
const families: Record<string, Pick<TextTower, 'maxTokens' | 'padId' | 'padding'>> = {
  clip: { maxTokens: 77, padId: 0, padding: 'own' },
  siglip: { maxTokens: 64, padId: 1, padding: 'full' },
};
/** Width of SigLIP's towers where config.json names none: it leaves out what is as in the base model. */
const SIGLIP_BASE = 768;

/** Default thresholds of a model that names none: LAION's. */
const laionThresholds = { en: 0.28, multi: 0.26, nolang: 0.26 };

/** Throws UsageError where the folder is no model of this layout. */
export async function readModelFolder(folder: string, id?: string): Promise<ModelEntry> {
  const config = await readConfig(folder, 'config.json', Config);
  const preprocessor = await readConfig(folder, 'preprocessor_config.json', Preprocessor);
  const own = config.pairmill;
  const name = id ?? own?.id ?? basename(folder);
  const family = families[config.model_type ?? ''] ?? families['clip']!;
  const dimensions = config.projection_dim ?? (family === families['siglip'] ? (config.text_config.hidden_size ?? SIGLIP_BASE) : undefined);
  if (dimensions === undefined) throw new UsageError(`${join(folder, 'config.json')} names no projection_dim, the length of an embedding.`);
  const [vision, text] = [await present(folder, 'vision_model.onnx'), await present(folder, 'text_model.onnx')];
  return {
    id: name,
    dimensions,
    image: {
      source: { folder },
      file: vision,
      int8: await int8Of(folder, vision),
      preprocessing: { ...preprocessing(preprocessor, folder), ...(own?.resize && { resize: own.resize }) },
    },
    text: {
      source: { folder },
      file: text,
      int8: await int8Of(folder, text),
      tokenizer: 'tokenizer.json',
      tokenization: own?.tokenization ?? 'hub',
      maxTokens: config.text_config.max_position_embeddings ?? family.maxTokens,
      padId: own?.tokenization === 'open-clip' ? 0 : (config.text_config.pad_token_id ?? family.padId),
      padding: own?.padding ?? family.padding,
      pooling: 'none',
    },
    thresholds: own?.threshold ?? laionThresholds,
    headsFor: own?.headsFor ?? name,
  };
}

function preprocessing(from: z.output<typeof Preprocessor>, folder: string): ImagePreprocessing {
  const { size, crop_size: crop } = from;
  const shortest = typeof size === 'number' ? size : 'shortest_edge' in size ? size.shortest_edge : undefined;
  const height = shortest ?? (size as { height: number }).height;
  if (shortest === undefined && (size as { width: number }).width !== height)
    throw new UsageError(`${join(folder, 'preprocessor_config.json')}: size ${JSON.stringify(size)} is not a square, and only squares are supported.`);
  const cropped = crop === undefined ? height : typeof crop === 'number' ? crop : 'shortest_edge' in crop ? crop.shortest_edge : crop.height;
  const fit = shortest !== undefined && from.do_center_crop ? 'crop' : 'squash';
  if (fit === 'crop' && cropped !== height)
    throw new UsageError(`${join(folder, 'preprocessor_config.json')}: crop_size ${cropped} differs from size ${height}, which is not supported.`);
  const plain = !from.do_normalize || from.image_mean === undefined || from.image_std === undefined;
  const scale = plain ? { mean: [0, 0, 0] as const, std: [1, 1, 1] as const } : { mean: from.image_mean!, std: from.image_std! };
  return { size: height, fit, interpolation: from.resample === 2 ? 'bilinear' : 'bicubic', ...scale };
}

/** `file`, or `onnx/file` where the hub's exports keep it. */
async function present(folder: string, file: string): Promise<string> {
  for (const name of [file, `onnx/${file}`]) {
    try {
      await access(join(folder, name));
      return name;
    } catch {
      // The next place.
    }
  }
  throw new UsageError(`The model folder ${folder} has neither ${file} nor onnx/${file}. docs/models.md says what a model folder holds.`);
}

/** The int8 file beside a float32 one, as transformers.js names it. */
async function int8Of(folder: string, file: string): Promise<string | undefined> {
  for (const ending of ['_quantized.onnx', '_int8.onnx']) {
    const name = file.replace(/\.onnx$/, ending);
    try {
      await access(join(folder, name));
      return name;
    } catch {
      // The next name.
    }
  }
  return undefined;
}

async function readConfig<T extends z.ZodType>(folder: string, file: string, schema: T): Promise<z.output<T>> {
  const path = join(folder, file);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new UsageError(`The model folder ${folder} has no ${file}. docs/models.md says what a model folder holds.`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new RunError(`The model file ${path} is corrupted: it is not JSON (${messageOf(error)}). Restore the file, or give another --model.`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new UsageError(`${path} is not a configuration that is understood: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`);
  return parsed.data;
}

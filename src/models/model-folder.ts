import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../contracts/errors.ts';
import { readModelConfig } from './model-config.ts';
import type { FileSource, ModelEntry, TextTower } from './model-entry.ts';
import { Preprocessor, preprocessingOf } from './preprocessor-config.ts';

/**
 * Reads the entry of a model whose configuration lies in a folder with the layout of CLIP models on the hub: config.json,
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

/** What config.json leaves out where it has the family's usual value. */
const families: Record<string, Pick<TextTower, 'maxTokens' | 'padId' | 'padding'>> = {
  clip: { maxTokens: 77, padId: 0, padding: 'own' },
  siglip: { maxTokens: 64, padId: 1, padding: 'full' },
};
/** Width of SigLIP's towers where config.json names none: it leaves out what is as in the base model. */
const SIGLIP_BASE = 768;

/** Default thresholds of a CLIP that names none: LAION's. Those of SigLIP's family have none: their cosines lie far lower. */
const laionThresholds = { en: 0.28, multi: 0.26, nolang: 0.26 };

/** Which of an encoder's files say what it is. */
export const encoderConfigs = ['config.json', 'preprocessor_config.json'] as const;
/** What a repository of the hub has beside these, as transformers.js names it. */
export const hubEncoderFiles = ['onnx/vision_model.onnx', 'onnx/text_model.onnx', 'tokenizer.json'] as const;

/** `source`: where its other files are, if not in the folder too. Throws UsageError where the folder is no model of this layout. */
export async function readModelFolder(folder: string, { id, source = { folder } }: { id?: string; source?: FileSource } = {}): Promise<ModelEntry> {
  const config = await readModelConfig(folder, 'config.json', Config);
  const preprocessor = await readModelConfig(folder, 'preprocessor_config.json', Preprocessor);
  const own = config.pairmill;
  const name = id ?? own?.id ?? basename('folder' in source ? folder : source.repository);
  const family = families[config.model_type ?? ''] ?? families['clip']!;
  const dimensions = config.projection_dim ?? (family === families['siglip'] ? (config.text_config.hidden_size ?? SIGLIP_BASE) : undefined);
  if (dimensions === undefined) throw new UsageError(`${join(folder, 'config.json')} names no projection_dim, the length of an embedding.`);
  const [vision, text] = await Promise.all(['vision_model.onnx', 'text_model.onnx'].map((file) => onnxFiles(source, file)));
  return {
    id: name,
    dimensions,
    image: {
      source,
      ...vision!,
      preprocessing: { ...preprocessingOf(preprocessor, folder), ...(own?.resize && { resize: own.resize }) },
    },
    text: {
      source,
      ...text!,
      tokenizer: 'tokenizer.json',
      tokenization: own?.tokenization ?? 'hub',
      maxTokens: config.text_config.max_position_embeddings ?? family.maxTokens,
      padId: own?.tokenization === 'open-clip' ? 0 : (config.text_config.pad_token_id ?? family.padId),
      padding: own?.padding ?? family.padding,
      pooling: 'none',
    },
    thresholds: own?.threshold ?? (family === families['siglip'] ? undefined : laionThresholds),
    headsFor: own?.headsFor ?? name,
    configuration: encoderConfigs,
  };
}

/** Of a tower, in float32 and in int8. Of a repository it is not known what it has: it is asked for what transformers.js would. */
async function onnxFiles(source: FileSource, name: string): Promise<{ file: string; int8: string | undefined }> {
  if (!('folder' in source)) return { file: `onnx/${name}`, int8: `onnx/${name.replace(/\.onnx$/, '_quantized.onnx')}` };
  const file = await present(source.folder, name);
  return { file, int8: await int8Of(source.folder, file) };
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

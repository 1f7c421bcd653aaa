import { join } from 'node:path';
import { packageRoot } from '../contracts/package-root.ts';
import type { ImagePreprocessing, ImageTower, ModelEntry, TextTower } from './model-entry.ts';

/**
 * The models that have an id. Weights come from the hub on first use, except `mini`, which is in the package.
 * Thresholds: LAION-5B's 0.28 for English and 0.26 for the rest (crawlingathome gpu_inference.py), which were set for
 * ViT-B/32; for all others they are only a starting point. SigLIP has none: its cosines lie far lower.
 */

/** openai/CLIP, clip.py `_transform`. */
function clipPreprocessing(size: number): ImagePreprocessing {
  return { size, fit: 'crop', interpolation: 'bicubic', mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };
}

/** Repositories of transformers.js: onnx/, with int8 files beside those in float32. */
const xenova = (repository: string, tower: 'vision' | 'text') => ({
  source: { repository: `Xenova/${repository}`, revision: 'main' },
  file: `onnx/${tower}_model.onnx`,
  int8: `onnx/${tower}_model_quantized.onnx`,
});

const clipTokens = { tokenizer: 'tokenizer.json', tokenization: 'open-clip', maxTokens: 77, padId: 0, padding: 'own', pooling: 'none' } as const;

const clipImageTower = (repository: string): ImageTower => ({ ...xenova(repository, 'vision'), preprocessing: clipPreprocessing(224) });
const clipTextTower = (repository: string): TextTower => ({ ...xenova(repository, 'text'), ...clipTokens });

const laionThresholds = { en: 0.28, multi: 0.26, nolang: 0.26 };

function clip(id: string, repository: string, dimensions: number, headsFor: string): ModelEntry {
  return { id, dimensions, image: clipImageTower(repository), text: clipTextTower(repository), thresholds: laionThresholds, headsFor };
}

const openClipH14 = { repository: 'immich-app/ViT-H-14__laion2b-s32b-b79k', revision: 'main' };

export const registry: readonly ModelEntry[] = [
  clip('clip-vit-b-32', 'clip-vit-base-patch32', 512, 'ViT-B/32'),
  clip('clip-vit-b-16', 'clip-vit-base-patch16', 512, 'ViT-B/16'),
  clip('clip-vit-l-14', 'clip-vit-large-patch14', 768, 'ViT-L/14'),
  {
    // An export with one row a run, and the weights in files beside.
    id: 'openclip-vit-h-14',
    dimensions: 1024,
    image: { source: openClipH14, file: 'visual/model.onnx', preprocessing: clipPreprocessing(224) },
    text: { source: openClipH14, file: 'textual/model.onnx', ...clipTokens, tokenizer: 'textual/tokenizer.json' },
    thresholds: laionThresholds,
    headsFor: 'ViT-H/14',
  },
  {
    // DistilBERT aligned to ViT-B/32's images: mean over the tokens, then 768 -> 512 without activation.
    id: 'mclip-vit-b-32',
    dimensions: 512,
    image: clipImageTower('clip-vit-base-patch32'),
    text: {
      source: { repository: 'sentence-transformers/clip-ViT-B-32-multilingual-v1', revision: 'main' },
      file: 'onnx/model.onnx',
      tokenizer: 'tokenizer.json',
      tokenization: 'hub',
      maxTokens: 128,
      padId: 0,
      padding: 'own',
      pooling: 'mean',
      projection: '2_Dense/model.safetensors',
    },
    thresholds: laionThresholds,
    headsFor: 'ViT-B/32',
  },
  {
    // XLM-R large aligned to ViT-L/14's images; pooling and projection are inside this export, 77 tokens a text.
    id: 'mclip-xlm-roberta-vit-l-14',
    dimensions: 768,
    image: clipImageTower('clip-vit-large-patch14'),
    text: {
      source: { repository: 'immich-app/XLM-Roberta-Large-Vit-L-14', revision: 'main' },
      file: 'textual/model.onnx',
      tokenizer: 'textual/tokenizer.json',
      tokenization: 'hub',
      maxTokens: 77,
      padId: 1,
      padding: 'own',
      pooling: 'none',
    },
    thresholds: laionThresholds,
    headsFor: 'ViT-L/14',
  },
  {
    // Both sides squashed; texts of 64 tokens, filled up with the end token and without a mask.
    id: 'siglip-vit-b-16',
    dimensions: 768,
    image: {
      ...xenova('siglip-base-patch16-224', 'vision'),
      preprocessing: { size: 224, fit: 'squash', interpolation: 'bicubic', mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    },
    text: {
      ...xenova('siglip-base-patch16-224', 'text'),
      tokenizer: 'tokenizer.json',
      tokenization: 'hub',
      maxTokens: 64,
      padId: 1,
      padding: 'full',
      pooling: 'none',
    },
    thresholds: undefined,
    headsFor: 'SigLIP ViT-B/16',
  },
  {
    // 256 pixels, bilinear, neither mean nor deviation; its text tower looks at all 77 tokens.
    id: 'mobileclip-s2',
    dimensions: 512,
    image: { ...xenova('mobileclip_s2', 'vision'), preprocessing: { size: 256, fit: 'crop', interpolation: 'bilinear', mean: [0, 0, 0], std: [1, 1, 1] } },
    text: { ...clipTextTower('mobileclip_s2'), padding: 'full' },
    thresholds: laionThresholds,
    headsFor: 'MobileCLIP-S2',
  },
];

/** Folders of the models that are part of the package, by id. */
export function packagedModelFolder(id: string): string | undefined {
  return id === 'mini' ? join(packageRoot(), 'models', 'mini') : undefined;
}

/** Every id, for help and messages. */
export const modelIds: readonly string[] = ['mini', ...registry.map(({ id }) => id)];

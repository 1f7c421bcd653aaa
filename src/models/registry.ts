import { join } from 'node:path';
import { packageRoot } from '../contracts/package-root.ts';
import type { ImagePreprocessing, ImageTower, ModelEntry, TextTower } from './model-entry.ts';

/**
 * The models that have an id. Weights come from the hub on first use, except `mini`, which is in the package.
 * Thresholds: LAION-5B's 0.28 for English and 0.26 for the rest (crawlingathome gpu_inference.py), which were set for
 * ViT-B/32; for the L/14 models they are only a starting point.
 */

/** openai/CLIP, clip.py `_transform`. */
function clipPreprocessing(size: number): ImagePreprocessing {
  return { size, fit: 'crop', interpolation: 'bicubic', mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };
}

function clipImageTower(repository: string): ImageTower {
  return { source: { repository, revision: 'main' }, file: 'onnx/vision_model.onnx', preprocessing: clipPreprocessing(224) };
}

function clipTextTower(repository: string): TextTower {
  return {
    source: { repository, revision: 'main' },
    file: 'onnx/text_model.onnx',
    tokenizer: 'tokenizer.json',
    tokenization: 'open-clip',
    maxTokens: 77,
    padId: 0,
    pooling: 'none',
  };
}

const laionThresholds = { en: 0.28, multi: 0.26, nolang: 0.26 };

export const registry: readonly ModelEntry[] = [
  {
    id: 'clip-vit-b-32',
    dimensions: 512,
    image: clipImageTower('Xenova/clip-vit-base-patch32'),
    text: clipTextTower('Xenova/clip-vit-base-patch32'),
    thresholds: laionThresholds,
    headsFor: 'ViT-B/32',
  },
  {
    id: 'clip-vit-l-14',
    dimensions: 768,
    image: clipImageTower('Xenova/clip-vit-large-patch14'),
    text: clipTextTower('Xenova/clip-vit-large-patch14'),
    thresholds: laionThresholds,
    headsFor: 'ViT-L/14',
  },
  {
    // DistilBERT aligned to ViT-B/32's images: mean over the tokens, then 768 -> 512 without activation.
    id: 'mclip-vit-b-32',
    dimensions: 512,
    image: clipImageTower('Xenova/clip-vit-base-patch32'),
    text: {
      source: { repository: 'sentence-transformers/clip-ViT-B-32-multilingual-v1', revision: 'main' },
      file: 'onnx/model.onnx',
      tokenizer: 'tokenizer.json',
      tokenization: 'hub',
      maxTokens: 128,
      padId: 0,
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
    image: clipImageTower('Xenova/clip-vit-large-patch14'),
    text: {
      source: { repository: 'immich-app/XLM-Roberta-Large-Vit-L-14', revision: 'main' },
      file: 'textual/model.onnx',
      tokenizer: 'textual/tokenizer.json',
      tokenization: 'hub',
      maxTokens: 77,
      padId: 1,
      pooling: 'none',
    },
    thresholds: laionThresholds,
    headsFor: 'ViT-L/14',
  },
];

/** Folders of the models that are part of the package, by id. */
export function packagedModelFolder(id: string): string | undefined {
  return id === 'mini' ? join(packageRoot(), 'models', 'mini') : undefined;
}

/** Every id, for help and messages. */
export const modelIds: readonly string[] = ['mini', ...registry.map(({ id }) => id)];

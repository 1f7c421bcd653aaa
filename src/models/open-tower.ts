import type { ImageEncoder } from './image-encoder.ts';
import type { ModelParts } from './model-parts.ts';
import { withoutRepeats } from './repeated-pictures.ts';
import type { TextEncoder } from './text-encoder.ts';

/** One half of a model, loaded: it owns its ONNX session. */
export interface Tower<Encode> {
  encode: Encode;
  close(): Promise<void>;
}

// The code is loaded with the first tower, with onnxruntime and sharp: all worker threads have this file, and few need a model.

export async function openImageTower({ entry, files }: ModelParts, threads: number): Promise<Tower<ImageEncoder>> {
  const [{ openOnnxSession }, { imageEncoder }] = await Promise.all([import('./onnx-session.ts'), import('./image-encoder.ts')]);
  const session = await openOnnxSession(files.vision, threads);
  const encode = withoutRepeats(imageEncoder(session, entry.image.preprocessing, entry.dimensions, threads), entry.dimensions);
  return { encode, close: () => session.close() };
}

export async function openTextTower({ entry, files, tokenize, projection }: ModelParts, threads: number): Promise<Tower<TextEncoder>> {
  const [{ openOnnxSession }, { textEncoder }] = await Promise.all([import('./onnx-session.ts'), import('./text-encoder.ts')]);
  const session = await openOnnxSession(files.text, threads);
  return { encode: textEncoder(session, tokenize, entry.text, entry.dimensions, projection), close: () => session.close() };
}

import { RunError } from '../contracts/errors.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import { findModel } from './find-model.ts';
import type { Thresholds } from './model-entry.ts';
import { modelFiles } from './model-files.ts';
import type { ModelSettings } from './model-settings.ts';
import type { OnnxSession, openOnnxSession } from './onnx-session.ts';
import { withoutRepeats } from './repeated-pictures.ts';
import type { Projection } from './text-encoder.ts';
import { readTokenizer } from './tokenizer.ts';

/** A loaded model: pictures and texts to vectors of length 1 in one space, so that their dot product is their cosine. */
export interface DualEncoder {
  readonly id: string;
  readonly dimensions: number;
  readonly thresholds: Thresholds;
  /** Name under which heads know the image tower. */
  readonly headsFor: string;
  /** A vector, or an Error in its place where a picture can't be decoded. Does not depend on what else is encoded. */
  encodeImages(pictures: readonly Uint8Array[]): Promise<(Float32Array | Error)[]>;
  encodeTexts(texts: readonly string[]): Promise<(Float32Array | Error)[]>;
  close(): Promise<void>;
}

/**
 * Loads the model of an id or of a local folder; downloads it on first use. Throws UsageError for a model that does not
 * exist, RunError for a file that can't be had or is damaged.
 */
export async function loadModel(idOrFolder: string, settings: ModelSettings, openSession?: typeof openOnnxSession): Promise<DualEncoder> {
  const entry = await findModel(idOrFolder);
  const files = await modelFiles(entry, settings);
  const tokenize = await readTokenizer(files.tokenizer, entry.text);
  const projection = files.projection === undefined ? undefined : await readProjection(files.projection);
  const sessions: OnnxSession[] = [];
  const open = async (path: string): Promise<OnnxSession> => {
    const session = await (openSession ?? (await import('./onnx-session.ts')).openOnnxSession)(path, settings.threads);
    sessions.push(session);
    return session;
  };
  const close = async (): Promise<void> => {
    await Promise.all(sessions.splice(0).map((session) => session.close()));
  };
  // Opened when first used: `filter` runs only the text tower of its second model, and `serve` may see no picture. The code too
  // is loaded then, with onnxruntime and sharp: all worker threads have this file, and few need a model.
  const images = lazily(async () => {
    const { imageEncoder } = await import('./image-encoder.ts');
    return withoutRepeats(imageEncoder(await open(files.vision), entry.image.preprocessing, entry.dimensions, settings.threads), entry.dimensions);
  });
  const texts = lazily(async () => {
    const { textEncoder } = await import('./text-encoder.ts');
    return textEncoder(await open(files.text), tokenize, entry.text, entry.dimensions, projection);
  });
  return {
    id: entry.id,
    dimensions: entry.dimensions,
    thresholds: entry.thresholds,
    headsFor: entry.headsFor,
    encodeImages: async (pictures) => (await images())(pictures),
    encodeTexts: async (strings) => (await texts())(strings),
    close,
  };
}

/** sha256 of each file that `loadModel` would read, by `MODEL/FILE`; downloads what is not here. */
export async function modelChecksums(idOrFolder: string, settings: ModelSettings): Promise<Record<string, string>> {
  return (await modelFiles(await findModel(idOrFolder), settings)).checksums;
}

async function readProjection(path: string): Promise<Projection> {
  const { tensors } = await readSafetensors(path);
  const weight = tensors.get('linear.weight');
  if (!weight) throw new RunError(`The model file ${path} has no tensor linear.weight: it is no projection of a sentence-transformers model.`);
  return { weight, bias: tensors.get('linear.bias') };
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

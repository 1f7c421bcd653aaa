import { RunError } from '../contracts/errors.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import { findModel } from './find-model.ts';
import { inPrecision } from './in-precision.ts';
import type { ModelEntry } from './model-entry.ts';
import { type ModelFiles, modelFiles } from './model-files.ts';
import type { ModelSettings } from './model-settings.ts';
import type { Projection } from './text-encoder.ts';
import { readTokenizer, type Tokenizer } from './tokenizers/tokenizer.ts';

/** All of a model but its ONNX files: what it is, where its files lie, how it reads texts. */
export interface ModelParts {
  entry: ModelEntry;
  files: ModelFiles;
  tokenize: Tokenizer;
  projection: Projection | undefined;
}

/**
 * Reads the parts of the model of an id or of a local folder; downloads its files on first use. Throws UsageError for a model
 * that does not exist, RunError for a file that can't be had or is damaged.
 */
export async function readModelParts(idOrFolder: string, settings: ModelSettings): Promise<ModelParts> {
  const entry = inPrecision(await findModel(idOrFolder, settings), settings.precision);
  const files = await modelFiles(entry, settings);
  const tokenize = await readTokenizer(files.tokenizer, entry.text);
  const projection = files.projection === undefined ? undefined : await readProjection(files.projection);
  return { entry, files, tokenize, projection };
}

async function readProjection(path: string): Promise<Projection> {
  const { tensors } = await readSafetensors(path);
  const weight = tensors.get('linear.weight');
  if (!weight) throw new RunError(`The model file ${path} has no tensor linear.weight: it is no projection of a sentence-transformers model.`);
  return { weight, bias: tensors.get('linear.bias') };
}

import { UsageError } from '../contracts/errors.ts';
import type { ModelEntry } from './model-entry.ts';
import type { Precision } from './model-settings.ts';

/** The entry with the files of a precision. Throws UsageError where a tower has none. */
export function inPrecision(entry: ModelEntry, precision: Precision = 'float32'): ModelEntry {
  if (precision === 'float32') return entry;
  const { image, text } = entry;
  const missing = [image.int8 === undefined ? 'picture' : [], text.int8 === undefined ? 'text' : []].flat();
  if (image.int8 === undefined || text.int8 === undefined)
    throw new UsageError(
      `--model-precision int8: the ${missing.join(' and the ')} tower of ${entry.id} has no int8 file (onnx/*_model_quantized.onnx in a folder). Leave the option out: models then compute in float32.`,
    );
  return { ...entry, image: { ...image, file: image.int8 }, text: { ...text, file: text.int8 } };
}

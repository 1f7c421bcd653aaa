import type { FileSource, ImagePreprocessing, TextTower } from '../model-entry.ts';

/** A classifier of pictures or of texts: what its files say of it, before the ONNX file is opened. */
export interface Classifier<Input extends ClassifierInput = ClassifierInput> {
  readonly id: string;
  readonly source: FileSource;
  /** ONNX: pixels, or token ids with a mask -> a number for each label. */
  readonly file: string;
  /** Labels of its output. */
  readonly labels: number;
  /** Columns of tags/, each with the place of its label. */
  readonly columns: readonly { name: string; label: number }[];
  /** What makes scores of its output. */
  readonly activation: ClassifierActivation;
  /** Its config.json says that it is one of LAION's. */
  readonly ofLaion: boolean;
  readonly input: Input;
  /** Every file by which it is made, the ONNX file first. */
  readonly files: readonly string[];
}

export type ClassifierActivation = 'softmax' | 'sigmoid' | 'identity';
export type PictureInput = { readonly kind: 'pictures'; readonly preprocessing: ImagePreprocessing };
export type TextInput = { readonly kind: 'texts'; readonly tower: Omit<TextTower, 'source' | 'file'> };
export type ClassifierInput = PictureInput | TextInput;

/** The scores of the columns, of a row of the output. Softmax is computed in float64. */
export function scoresOf({ activation, columns }: Pick<Classifier, 'activation' | 'columns'>, row: Float32Array): Float32Array {
  if (activation === 'identity') return Float32Array.from(columns, ({ label }) => row[label]!);
  if (activation === 'sigmoid') return Float32Array.from(columns, ({ label }) => 1 / (1 + Math.exp(-row[label]!)));
  const largest = Math.max(...row);
  const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0);
  return Float32Array.from(columns, ({ label }) => Math.exp(row[label]! - largest) / sum);
}

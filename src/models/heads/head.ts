import { UsageError } from '../../contracts/errors.ts';
import { readSafetensors, type Tensor } from '../../formats/safetensors.ts';
import { isOfLaion } from '../tag-column.ts';

/**
 * A head: a small model on an image embedding that gives one number (a tag). Two spellings of safetensors are read:
 * - ours: `weight` and `bias`, or `layers.N.weight` and `layers.N.bias`; metadata `output` is the column's name,
 *   `activation` what ends it (sigmoid, identity), `hidden_activation` what stands between layers (relu, none);
 * - LAION's heads as converted for this project: `output` is the last activation, `activation` that between layers,
 *   and `meaning` begins with the tag; `prompts` [2, d] is a choice between two prompts (Q16, violence): 1 or 0.
 * Both: `l2_normalize_input`, `zeroed_dims`, `mean` and `variance` for standardisation, and the model it belongs to.
 */
export interface Head {
  /** Column of `tags/`. */
  readonly column: string;
  /** Name of the image tower whose embeddings it reads; undefined where the file does not say. */
  readonly model: string | undefined;
  /** Its file says that it is one of LAION's: by how it is spelt, or by its `source`. */
  readonly ofLaion: boolean;
  readonly dimensions: number;
  /** The embedding is scaled to length 1 first. */
  readonly normalised: boolean;
  /**
   * What it computes after that: layers with ReLU between them. Zeroed dimensions, standardisation, the difference of two prompts
   * and layers with nothing between them are worked into these, in float64.
   */
  readonly layers: readonly [DenseLayer, ...DenseLayer[]];
  /** What ends it; `step` is 1 above 0, else 0. */
  readonly end: EndActivation;
}

export type EndActivation = 'sigmoid' | 'identity' | 'step';

/** y = weight x + bias; the weight is [outputs, inputs], row by row. */
export interface DenseLayer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weight: Float64Array;
  readonly bias: Float64Array;
}

/** Throws UsageError where the file is readable but no head. */
export async function readHead(path: string): Promise<Head> {
  const { metadata, tensors } = await readSafetensors(path);
  const refuse = (why: string): UsageError => new UsageError(`${path} is no head that can be used: ${why}. docs/tag.md says what a head holds.`);
  const column = columnOf(metadata);
  if (!column) throw refuse('its metadata names no output column');
  const model = metadata['input_model'] ?? metadata['input'];
  const normalised = metadata['l2_normalize_input'] === 'true';
  const about = { column, model, ofLaion: isActivation(metadata['output']) || isOfLaion(metadata['source']), normalised };

  const prompts = tensors.get('prompts');
  if (prompts) {
    const [count, dimensions] = prompts.shape;
    if (prompts.shape.length !== 2 || count !== 2 || !dimensions)
      throw refuse(`prompts has the shape ${JSON.stringify(prompts.shape)} where [2, d] is expected`);
    const weight = Float64Array.from({ length: dimensions }, (_, i) => prompts.data[dimensions + i]! - prompts.data[i]!);
    return { ...about, dimensions, layers: [prepared({ inputs: dimensions, outputs: 1, weight, bias: new Float64Array(1) }, metadata, tensors)], end: 'step' };
  }

  const layers = layersOf(tensors);
  const [first] = layers;
  if (!first) throw refuse(`it holds ${[...tensors.keys()].join(', ') || 'nothing'} and no layers`);
  const dimensions = first.weight.shape[1]!;
  let width = dimensions;
  for (const { weight, bias } of layers) {
    if (weight.shape.length !== 2 || weight.shape[1] !== width || (bias && bias.data.length !== weight.shape[0]))
      throw refuse(`a layer of shape ${JSON.stringify(weight.shape)} does not follow one of ${width}`);
    width = weight.shape[0]!;
  }
  if (width !== 1) throw refuse(`it gives ${width} numbers where one is expected`);
  const { hidden, last } = activations(metadata);
  if (!isActivation(last) || !['relu', 'none'].includes(hidden))
    throw refuse(`its activations are ${hidden} and ${last}; relu or none, then sigmoid or identity are known`);
  const [input, ...following] = layers.map(dense);
  const all: [DenseLayer, ...DenseLayer[]] = [prepared(input!, metadata, tensors), ...following];
  return { ...about, dimensions, layers: hidden === 'none' ? [all.reduce(composed)] : all, end: last };
}

const isActivation = (name: string | undefined): name is 'sigmoid' | 'identity' => name === 'sigmoid' || name === 'identity';

function columnOf({ output, meaning }: Record<string, string>): string | undefined {
  const name = isActivation(output) || output === undefined ? (/ means (\w+)/.exec(meaning ?? '')?.[1] ?? /^\w+/.exec(meaning ?? '')?.[0]) : output;
  return name === 'rows' ? undefined : name;
}

function activations(metadata: Record<string, string>): { hidden: string; last: string } {
  const { output, activation } = metadata;
  if (isActivation(output)) return { hidden: activation ?? 'none', last: output };
  return { hidden: metadata['hidden_activation'] ?? 'none', last: activation ?? 'identity' };
}

interface LayerTensors {
  weight: Tensor;
  bias: Tensor | undefined;
}

function layersOf(tensors: ReadonlyMap<string, Tensor>): LayerTensors[] {
  const single = tensors.get('weight');
  if (single) return [{ weight: single, bias: tensors.get('bias') }];
  const layers: LayerTensors[] = [];
  for (let i = 0; ; i++) {
    const weight = tensors.get(`layers.${i}.weight`);
    if (!weight) return layers;
    layers.push({ weight, bias: tensors.get(`layers.${i}.bias`) });
  }
}

function dense({ weight, bias }: LayerTensors): DenseLayer {
  const [outputs, inputs] = weight.shape as [number, number];
  return { inputs, outputs, weight: Float64Array.from(weight.data), bias: bias ? Float64Array.from(bias.data) : new Float64Array(outputs) };
}

/**
 * The first layer with what comes before it: dimensions set to 0, then (x - mean) / sqrt(variance). Both are linear, so the layer takes
 * them up: a zeroed dimension adds the same to every output, the others get another weight.
 */
function prepared({ inputs, outputs, weight, bias }: DenseLayer, metadata: Record<string, string>, tensors: ReadonlyMap<string, Tensor>): DenseLayer {
  const zeroed = new Set(JSON.parse(metadata['zeroed_dims'] ?? '[]') as number[]);
  const [mean, variance] = [tensors.get('mean')?.data, tensors.get('variance')?.data];
  const result: DenseLayer = { inputs, outputs, weight: weight.slice(), bias: bias.slice() };
  for (let row = 0; row < outputs; row++) {
    for (let i = 0; i < inputs; i++) {
      const at = row * inputs + i;
      const scaled = mean && variance ? weight[at]! / Math.sqrt(variance[i]!) : weight[at]!;
      result.bias[row]! -= mean && variance ? scaled * mean[i]! : 0;
      result.weight[at] = zeroed.has(i) ? 0 : scaled;
    }
  }
  return result;
}

/** Two layers with nothing between them as one. */
function composed(first: DenseLayer, second: DenseLayer): DenseLayer {
  const weight = new Float64Array(second.outputs * first.inputs);
  for (let row = 0; row < second.outputs; row++)
    for (let between = 0; between < second.inputs; between++) {
      const factor = second.weight[row * second.inputs + between]!;
      for (let i = 0; i < first.inputs; i++) weight[row * first.inputs + i]! += factor * first.weight[between * first.inputs + i]!;
    }
  const bias = second.bias.map((start, row) => {
    let sum = start;
    for (let between = 0; between < second.inputs; between++) sum += second.weight[row * second.inputs + between]! * first.bias[between]!;
    return sum;
  });
  return { inputs: first.inputs, outputs: second.outputs, weight, bias };
}

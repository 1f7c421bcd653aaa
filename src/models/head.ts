import { UsageError } from '../contracts/errors.ts';
import { readSafetensors, type Tensor } from '../formats/safetensors.ts';
import { normalise } from './vectors.ts';

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
  readonly dimensions: number;
  /** Computed in float64 and rounded to float32, as it is stored. */
  apply(embedding: Float32Array): number;
}

interface Layer {
  weight: Tensor;
  bias: Tensor | undefined;
}

const finalActivations: Record<string, (x: number) => number> = {
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  identity: (x) => x,
};

/** Throws UsageError where the file is readable but no head. */
export async function readHead(path: string): Promise<Head> {
  const { metadata, tensors } = await readSafetensors(path);
  const refuse = (why: string): UsageError => new UsageError(`${path} is no head that can be used: ${why}. docs/tag.md says what a head holds.`);
  const column = columnOf(metadata);
  if (!column) throw refuse('its metadata names no output column');
  const model = metadata['input_model'] ?? metadata['input'];
  const prepare = preparation(metadata, tensors);

  const prompts = tensors.get('prompts');
  if (prompts) {
    const [count, dimensions] = prompts.shape;
    if (prompts.shape.length !== 2 || count !== 2 || !dimensions)
      throw refuse(`prompts has the shape ${JSON.stringify(prompts.shape)} where [2, d] is expected`);
    const layer: Layer = { weight: prompts, bias: undefined };
    return {
      column,
      model,
      dimensions,
      apply: (embedding) => {
        const [first, second] = linear(prepare(embedding), layer) as unknown as [number, number];
        return second > first ? 1 : 0;
      },
    };
  }

  const layers = layersOf(tensors);
  if (layers.length === 0) throw refuse(`it holds ${[...tensors.keys()].join(', ') || 'nothing'} and no layers`);
  const dimensions = layers[0]!.weight.shape[1]!;
  let width = dimensions;
  for (const { weight, bias } of layers) {
    if (weight.shape.length !== 2 || weight.shape[1] !== width || (bias && bias.data.length !== weight.shape[0]))
      throw refuse(`a layer of shape ${JSON.stringify(weight.shape)} does not follow one of ${width}`);
    width = weight.shape[0]!;
  }
  if (width !== 1) throw refuse(`it gives ${width} numbers where one is expected`);
  const { hidden, last } = activations(metadata);
  const end = finalActivations[last];
  if (!end || !['relu', 'none'].includes(hidden)) throw refuse(`its activations are ${hidden} and ${last}; relu or none, then sigmoid or identity are known`);

  return {
    column,
    model,
    dimensions,
    apply: (embedding) => {
      let x = prepare(embedding);
      for (const [i, layer] of layers.entries()) {
        x = linear(x, layer);
        if (hidden === 'relu' && i < layers.length - 1) x = x.map((value) => Math.max(0, value));
      }
      return Math.fround(end(x[0]!));
    },
  };
}

const isActivation = (name: string | undefined): name is string => name !== undefined && name in finalActivations;

function columnOf({ output, meaning }: Record<string, string>): string | undefined {
  const name = isActivation(output) || output === undefined ? (/ means (\w+)/.exec(meaning ?? '')?.[1] ?? /^\w+/.exec(meaning ?? '')?.[0]) : output;
  return name === 'rows' ? undefined : name;
}

function activations(metadata: Record<string, string>): { hidden: string; last: string } {
  const { output, activation } = metadata;
  if (isActivation(output)) return { hidden: activation ?? 'none', last: output };
  return { hidden: metadata['hidden_activation'] ?? 'none', last: activation ?? 'identity' };
}

function layersOf(tensors: ReadonlyMap<string, Tensor>): Layer[] {
  const single = tensors.get('weight');
  if (single) return [{ weight: single, bias: tensors.get('bias') }];
  const layers: Layer[] = [];
  for (let i = 0; ; i++) {
    const weight = tensors.get(`layers.${i}.weight`);
    if (!weight) return layers;
    layers.push({ weight, bias: tensors.get(`layers.${i}.bias`) });
  }
}

/** What is done with the embedding before the first layer. Embeddings are read from float16, so length 1 only nearly. */
function preparation(metadata: Record<string, string>, tensors: ReadonlyMap<string, Tensor>): (embedding: Float32Array) => Float64Array {
  const zeroed = JSON.parse(metadata['zeroed_dims'] ?? '[]') as number[];
  const [mean, variance] = [tensors.get('mean')?.data, tensors.get('variance')?.data];
  return (embedding) => {
    const x = Float64Array.from(metadata['l2_normalize_input'] === 'true' ? normalise(embedding.slice()) : embedding);
    for (const i of zeroed) x[i] = 0;
    if (mean && variance) for (let i = 0; i < x.length; i++) x[i] = (x[i]! - mean[i]!) / Math.sqrt(variance[i]!);
    return x;
  };
}

function linear(x: Float64Array, { weight, bias }: Layer): Float64Array {
  const [rows, columns] = weight.shape as [number, number];
  return Float64Array.from({ length: rows }, (_, row) => {
    let sum = bias ? bias.data[row]! : 0;
    for (let i = 0; i < columns; i++) sum += weight.data[row * columns + i]! * x[i]!;
    return sum;
  });
}

import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor } from '../../src/formats/onnx-model.ts';

/** A layers model of TensorFlow.js: Keras' configuration, and weights of eight bits with a scale each. */
export interface LayersModel {
  modelTopology: { model_config: { config: { layers: KerasLayer[]; output_layers: [string, number, number][] } } };
  weightsManifest: { weights: QuantisedWeight[] }[];
}

interface KerasLayer {
  class_name: string;
  name: string;
  config: Record<string, unknown>;
  inbound_nodes: [string, number, number, object][][];
}

interface QuantisedWeight {
  name: string;
  shape: number[];
  quantization: { min: number; scale: number; dtype: 'uint8' };
}

/**
 * The same as an ONNX graph: `pixel_values` float32 [n, 3, side, side] -> `probabilities` [n, classes]. Weights stay eight bits wide in
 * the file, which is a quarter of the size; onnxruntime widens them once, when it loads the file.
 */
export function kerasGraph(model: LayersModel, bytes: Uint8Array, side: number): OnnxGraph {
  return new Conversion(model, bytes).graph(side);
}

class Conversion {
  readonly #layers: readonly KerasLayer[];
  readonly #output: string;
  readonly #weights = new Map<string, QuantisedWeight & { data: Uint8Array }>();
  readonly #nodes: OnnxNode[] = [];
  readonly #constants: Record<string, OnnxTensor> = {};

  constructor({ modelTopology, weightsManifest }: LayersModel, bytes: Uint8Array) {
    const {
      layers,
      output_layers: [output],
    } = modelTopology.model_config.config;
    this.#layers = layers;
    this.#output = output![0];
    let at = 0;
    for (const weight of weightsManifest.flatMap(({ weights }) => weights)) {
      const length = weight.shape.reduce((a, b) => a * b, 1);
      this.#weights.set(weight.name, { ...weight, data: bytes.subarray(at, at + length) });
      at += length;
    }
    if (at !== bytes.length) throw new Error(`the manifest describes ${at} bytes of weights, and there are ${bytes.length}`);
  }

  graph(side: number): OnnxGraph {
    for (const layer of this.#layers) this.#add(layer);
    this.#node('Identity', [this.#output], 'probabilities');
    const classes = this.#weights.get(`${this.#output}/bias`)!.shape[0]!;
    return {
      inputs: [{ name: 'pixel_values', type: 'float32', shape: ['n', 3, side, side] }],
      outputs: [{ name: 'probabilities', type: 'float32', shape: ['n', classes] }],
      nodes: this.#nodes,
      constants: this.#constants,
    };
  }

  #add({ class_name: kind, name, config, inbound_nodes: inbound }: KerasLayer): void {
    const inputs = (inbound[0] ?? []).map(([layer]) => layer);
    const [input = ''] = inputs;
    switch (kind) {
      case 'InputLayer':
        return this.#node('Identity', ['pixel_values'], name);
      case 'ZeroPadding2D': {
        const [[top, bottom], [left, right]] = config['padding'] as [[number, number], [number, number]];
        this.#constants[`${name}/pads`] = { type: 'int64', shape: [8], data: BigInt64Array.from([0, 0, top, left, 0, 0, bottom, right], BigInt) };
        return this.#node('Pad', [input, `${name}/pads`], name);
      }
      case 'Conv2D':
        // [height, width, in, out] -> [out, in, height, width]
        return this.#node('Conv', [input, this.#weight(`${name}/kernel`, [3, 2, 0, 1]), ...this.#bias(name, config)], name, this.#places(config));
      case 'DepthwiseConv2D': {
        const kernel = this.#weight(`${name}/depthwise_kernel`, [2, 3, 0, 1]);
        return this.#node('Conv', [input, kernel, ...this.#bias(name, config)], name, {
          ...this.#places(config),
          group: { int: this.#weights.get(`${name}/depthwise_kernel`)!.shape[2]! },
        });
      }
      case 'BatchNormalization': {
        const parts = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((part) => this.#weight(`${name}/${part}`));
        return this.#node('BatchNormalization', [input, ...parts], name, { epsilon: { float: config['epsilon'] as number } });
      }
      case 'ReLU':
        this.#constants[`${name}/least`] = { type: 'float32', shape: [], data: Float32Array.of(0) };
        this.#constants[`${name}/most`] = { type: 'float32', shape: [], data: Float32Array.of(config['max_value'] as number) };
        return this.#node('Clip', [input, `${name}/least`, `${name}/most`], name);
      case 'Add':
        return this.#node('Add', inputs, name);
      case 'AveragePooling2D':
        return this.#node('AveragePool', [input], name, {
          kernel_shape: { ints: config['pool_size'] as number[] },
          strides: { ints: config['strides'] as number[] },
        });
      case 'Flatten':
        // One pixel is left: which axis comes last makes no difference.
        return this.#node('Flatten', [input], name);
      case 'Dropout':
        return this.#node('Identity', [input], name);
      case 'Dense':
        return this.#dense(name, input, config['activation'] as string);
      default:
        throw new Error(`the layer ${name} is a ${kind}, which this recipe does not know`);
    }
  }

  #dense(name: string, input: string, activation: string): void {
    const end = { relu: 'Relu', softmax: 'Softmax' }[activation];
    if (end === undefined) throw new Error(`the layer ${name} ends with ${activation}, which this recipe does not know`);
    this.#node('Gemm', [input, this.#weight(`${name}/kernel`), this.#weight(`${name}/bias`)], `${name}/sum`);
    this.#node(end, [`${name}/sum`], name);
  }

  #bias(name: string, config: KerasLayer['config']): string[] {
    return config['use_bias'] === true ? [this.#weight(`${name}/bias`)] : [];
  }

  /** Strides and padding. Keras pads `same` evenly where the stride is 1. */
  #places({ kernel_size: kernel, strides, padding }: KerasLayer['config']): Record<string, OnnxAttribute> {
    const [height, width] = kernel as [number, number];
    const same = padding === 'same';
    if (same && (strides as number[]).some((stride) => stride !== 1) && height > 1) throw new Error('padding "same" with strides is not known here');
    const [rows, columns] = same ? [(height - 1) / 2, (width - 1) / 2] : [0, 0];
    return { kernel_shape: { ints: [height, width] }, strides: { ints: strides as number[] }, pads: { ints: [rows, columns, rows, columns] } };
  }

  /** Adds a weight, its axes in another order, as what it stands for: value * scale + min. */
  #weight(name: string, order?: readonly number[]): string {
    const { shape, data, quantization } = this.#weights.get(name)!;
    const axes = order ?? shape.map((_, i) => i);
    this.#constants[`${name}/bytes`] = { type: 'uint8', shape: axes.map((axis) => shape[axis]!), data: permuted(data, shape, axes) };
    this.#constants[`${name}/scale`] = { type: 'float32', shape: [], data: Float32Array.of(quantization.scale) };
    this.#constants[`${name}/min`] = { type: 'float32', shape: [], data: Float32Array.of(quantization.min) };
    this.#node('Cast', [`${name}/bytes`], `${name}/wide`, { to: { int: 1 } });
    this.#node('Mul', [`${name}/wide`, `${name}/scale`], `${name}/scaled`);
    this.#node('Add', [`${name}/scaled`, `${name}/min`], name);
    return name;
  }

  #node(op: string, inputs: readonly string[], output: string, attributes?: Record<string, OnnxAttribute>): void {
    this.#nodes.push({ op, inputs, outputs: [output], ...(attributes && { attributes }) });
  }
}

function permuted(data: Uint8Array, shape: readonly number[], axes: readonly number[]): Uint8Array {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const sides = axes.map((axis) => shape[axis]!);
  return Uint8Array.from({ length: data.length }, (_, at) => {
    let [rest, from] = [at, 0];
    for (let i = sides.length - 1; i >= 0; i--) {
      from += (rest % sides[i]!) * strides[axes[i]!]!;
      rest = Math.floor(rest / sides[i]!);
    }
    return data[from]!;
  });
}

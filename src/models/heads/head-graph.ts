import { type OnnxGraph, type OnnxNode, type OnnxTensor, type OnnxType, onnxTypeNumbers } from '../../formats/onnx-model.ts';
import type { DenseLayer, Head } from './head.ts';

/**
 * Columns of the first product at least. onnxruntime computes a product with one column in another order of additions than one
 * with more: so a head's value does not depend on which heads are beside it. It computes sixteen at a time anyway.
 */
const COLUMNS = 16;

/**
 * Several heads on the same embeddings as one ONNX graph: `x` [n, d] -> one output [n, 1] for each head, `y0`, `y1`, …. The first
 * layers of all are one product, so that the embeddings are gone through once. Lengths divide its result and not the embeddings:
 * that is d / outputs times less to do.
 */
export function headGraph(heads: readonly Head[], type: OnnxType): OnnxGraph {
  const dimensions = heads[0]!.dimensions;
  const nodes: OnnxNode[] = [];
  const constants: Record<string, OnnxTensor> = {};
  const embeddings = type === 'float32' ? 'x' : 'embeddings';
  if (type !== 'float32') nodes.push({ op: 'Cast', inputs: ['x'], outputs: [embeddings], attributes: { to: { int: onnxTypeNumbers.float32 } } });
  if (heads.some(({ normalised }) => normalised)) {
    // Not ReduceL2, which takes onnxruntime three times as long.
    constants['rows'] = { type: 'int64', shape: [1], data: BigInt64Array.of(1n) };
    nodes.push({ op: 'Mul', inputs: [embeddings, embeddings], outputs: ['squares'] });
    nodes.push({ op: 'ReduceSum', inputs: ['squares', 'rows'], outputs: ['sum'], attributes: { keepdims: { int: 1 } } });
    nodes.push({ op: 'Sqrt', inputs: ['sum'], outputs: ['length'] });
    // A vector of zeros stays one.
    constants['shortest'] = { type: 'float32', shape: [], data: Float32Array.of(1e-30) };
    nodes.push({ op: 'Max', inputs: ['length', 'shortest'], outputs: ['divisor'] });
  }
  const widths = heads.map(({ layers }) => layers[0].outputs);
  const unused = Math.max(0, COLUMNS - widths.reduce((sum, width) => sum + width, 0));
  const splits = [...widths, ...(unused > 0 ? [unused] : [])];
  constants['first'] = firstWeights(heads, dimensions, unused);
  constants['splits'] = { type: 'int64', shape: [splits.length], data: BigInt64Array.from(splits, BigInt) };
  nodes.push({ op: 'MatMul', inputs: [embeddings, 'first'], outputs: ['products'] });
  nodes.push({ op: 'Split', inputs: ['products', 'splits'], outputs: splits.map((_, i) => `product${i}`), attributes: { axis: { int: 1 } } });
  for (const [i, head] of heads.entries()) addHead(head, i, nodes, constants);
  return {
    inputs: [{ name: 'x', type, shape: ['n', dimensions] }],
    outputs: heads.map((_, i) => ({ name: `y${i}`, type: 'float32', shape: ['n', 1] })),
    nodes,
    constants,
  };
}

/** The first layers' weights side by side, transposed: [d, all outputs]. */
function firstWeights(heads: readonly Head[], dimensions: number, unused: number): OnnxTensor {
  const columns = heads.reduce((sum, { layers }) => sum + layers[0].outputs, unused);
  const data = new Float32Array(dimensions * columns);
  let column = 0;
  for (const { layers } of heads)
    for (let row = 0; row < layers[0].outputs; row++, column++)
      for (let i = 0; i < dimensions; i++) data[i * columns + column] = layers[0].weight[row * dimensions + i]!;
  return { type: 'float32', shape: [dimensions, columns], data };
}

/** What follows the product of its first layer. */
function addHead({ layers, normalised, end }: Head, index: number, nodes: OnnxNode[], constants: Record<string, OnnxTensor>): void {
  let at = `product${index}`;
  const add = (op: string, further: readonly string[] = [], attributes?: OnnxNode['attributes']): void => {
    const output = `head${index}_${nodes.length}`;
    nodes.push({ op, inputs: [at, ...further], outputs: [output], ...(attributes && { attributes }) });
    at = output;
  };
  const constant = (name: string, shape: number[], data: Float32Array): string => {
    constants[`head${index}_${name}`] = { type: 'float32', shape, data };
    return `head${index}_${name}`;
  };
  if (normalised) add('Div', ['divisor']);
  add('Add', [constant('bias0', [layers[0].outputs], Float32Array.from(layers[0].bias))]);
  for (const [i, layer] of layers.slice(1).entries()) {
    add('Relu');
    const { outputs, inputs } = layer;
    const weight = constant(`weight${i + 1}`, [inputs, outputs], transposed(layer));
    add('Gemm', [weight, constant(`bias${i + 1}`, [outputs], Float32Array.from(layer.bias))]);
  }
  if (end === 'sigmoid') add('Sigmoid');
  if (end === 'step') {
    add('Greater', [constant('zero', [], Float32Array.of(0))]);
    add('Cast', [], { to: { int: onnxTypeNumbers.float32 } });
  }
  nodes.push({ op: 'Identity', inputs: [at], outputs: [`y${index}`] });
}

function transposed({ inputs, outputs, weight }: DenseLayer): Float32Array {
  return Float32Array.from({ length: inputs * outputs }, (_, at) => weight[(at % outputs) * inputs + Math.floor(at / outputs)]!);
}

import { availableParallelism } from 'node:os';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type OnnxGraph, onnxModel, type OnnxNode, type OnnxType, onnxTypeNumbers } from '../formats/onnx-model.ts';
import type { NpyType } from '../formats/npy.ts';
import { npyTensor } from './sessions/onnx-tensor.ts';

/** Vectors one after another, as they lie in an npy file. */
export interface Vectors {
  values: Float16Array | Float32Array;
  rows: number;
}

/** Of each vector: which of the others is nearest (the first of equals), their cosine, and the vector's own length. */
export interface Nearest {
  at: BigInt64Array;
  cosines: Float32Array;
  /** Not finite where a number of the vector is not: what else is said of it means nothing then. */
  lengths: Float32Array;
}

/** Finds the nearest of some vectors for each of others, by cosine, in float32. */
export interface NearestVectors {
  /**
   * The nearest of `among` for each vector of `of`. Where `before` was asked for, only the first `before[i]` count for vector i; the cosine
   * is below -1 where that is none.
   */
  find(of: Vectors, among: Vectors, before?: Float32Array): Promise<Nearest>;
  close(): Promise<void>;
}

/** Below every cosine. */
const NONE = -2;

/** `threads` decides nothing but the time: onnxruntime adds up each product in the same order. */
export async function openNearestVectors(
  dimensions: number,
  { of, among, before = false, threads = availableParallelism() }: { of: NpyType; among: NpyType; before?: boolean; threads?: number },
): Promise<NearestVectors> {
  const session = await InferenceSession.create(onnxModel(nearestGraph(dimensions, typeOf(of), typeOf(among), before)), {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Threads that wait for one another otherwise spin: on a busy machine that cost as much again.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    logSeverityLevel: 3,
  });
  return {
    async find(ofThese, amongThese, limits) {
      const feeds: Record<string, Tensor> = {
        of: tensorOf(ofThese, dimensions),
        among: tensorOf(amongThese, dimensions),
        ...(before && {
          before: new Tensor('float32', limits!, [ofThese.rows, 1]),
          numbers: new Tensor(
            'float32',
            Float32Array.from({ length: amongThese.rows }, (_, i) => i),
            [1, amongThese.rows],
          ),
        }),
      };
      const { at, cosines, lengths } = await session.run(feeds);
      return { at: at!.data as BigInt64Array, cosines: cosines!.data as Float32Array, lengths: lengths!.data as Float32Array };
    },
    close: () => session.release(),
  };
}

function tensorOf({ values, rows }: Vectors, dimensions: number): Tensor {
  return npyTensor(values.subarray(0, rows * dimensions), [rows, dimensions]);
}

const typeOf = (type: NpyType): OnnxType => (type === '<f2' ? 'float16' : 'float32');

/** All products of two sets of vectors that are scaled to length 1, and the largest of each row: one pass of a matrix product. */
function nearestGraph(dimensions: number, of: OnnxType, among: OnnxType, before: boolean): OnnxGraph {
  const nodes: OnnxNode[] = [...unitVectors('of', of), ...unitVectors('among', among)];
  nodes.push({ op: 'Gemm', inputs: ['of_unit', 'among_unit'], outputs: ['products'], attributes: { transB: { int: 1 } } });
  if (before) {
    nodes.push({ op: 'Less', inputs: ['numbers', 'before'], outputs: ['counts'] });
    nodes.push({ op: 'Where', inputs: ['counts', 'products', 'none'], outputs: ['counted'] });
  }
  const products = before ? 'counted' : 'products';
  nodes.push({ op: 'ArgMax', inputs: [products], outputs: ['at'], attributes: { axis: { int: 1 }, keepdims: { int: 0 } } });
  nodes.push({ op: 'ReduceMax', inputs: [products], outputs: ['cosines'], attributes: { axes: { ints: [1] }, keepdims: { int: 0 } } });
  nodes.push({ op: 'Squeeze', inputs: ['of_length', 'columns'], outputs: ['lengths'] });
  return {
    inputs: [
      { name: 'of', type: of, shape: ['n', dimensions] },
      { name: 'among', type: among, shape: ['m', dimensions] },
      ...(before
        ? ([
            { name: 'before', type: 'float32', shape: ['n', 1] },
            { name: 'numbers', type: 'float32', shape: [1, 'm'] },
          ] as const)
        : []),
    ],
    outputs: [
      { name: 'at', type: 'int64', shape: ['n'] },
      { name: 'cosines', type: 'float32', shape: ['n'] },
      { name: 'lengths', type: 'float32', shape: ['n'] },
    ],
    nodes,
    constants: {
      columns: { type: 'int64', shape: [1], data: BigInt64Array.of(1n) },
      // A vector of zeros stays one.
      shortest: { type: 'float32', shape: [], data: Float32Array.of(1e-30) },
      none: { type: 'float32', shape: [], data: Float32Array.of(NONE) },
    },
  };
}

/** NAME -> NAME_length [n, 1] and NAME_unit [n, d]. */
function unitVectors(name: string, type: OnnxType): OnnxNode[] {
  const vectors = type === 'float32' ? name : `${name}_float`;
  const cast: OnnxNode = { op: 'Cast', inputs: [name], outputs: [vectors], attributes: { to: { int: onnxTypeNumbers.float32 } } };
  return [
    ...(type === 'float32' ? [] : [cast]),
    { op: 'Mul', inputs: [vectors, vectors], outputs: [`${name}_squares`] },
    { op: 'ReduceSum', inputs: [`${name}_squares`, 'columns'], outputs: [`${name}_sum`], attributes: { keepdims: { int: 1 } } },
    { op: 'Sqrt', inputs: [`${name}_sum`], outputs: [`${name}_length`] },
    { op: 'Max', inputs: [`${name}_length`, 'shortest'], outputs: [`${name}_divisor`] },
    { op: 'Div', inputs: [vectors, `${name}_divisor`], outputs: [`${name}_unit`] },
  ];
}

import { RunError } from '../contracts/errors.ts';
import type { Values } from './sessions/onnx-session.ts';

/** Scales a vector to length 1, in place; summed in float64. A vector of zeros stays. */
export function normalise(vector: Float32Array): Float32Array {
  let sum = 0;
  for (const value of vector) sum += value * value;
  const scale = sum > 0 ? 1 / Math.sqrt(sum) : 0;
  for (let i = 0; i < vector.length; i++) vector[i] = vector[i]! * scale;
  return vector;
}

/** Dot product, summed in float64. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The cosine of two vectors of length 1, rounded to float32 as it is stored. */
export function cosine(a: Float32Array, b: Float32Array): number {
  return Math.fround(dot(a, b));
}

/** The rows of an output [rows, dimensions], each a copy. */
export function rowsOf(output: Values, rows: number, dimensions: number): Float32Array[] {
  if (output.type !== 'float32' || output.dims.length !== 2 || output.dims[0] !== rows || output.dims[1] !== dimensions) {
    throw new RunError(
      `The model gave ${output.type} ${JSON.stringify(output.dims)} where float32 [${rows},${dimensions}] is expected: its config.json does not describe its ONNX files.`,
    );
  }
  const values = output.data as Float32Array;
  return Array.from({ length: rows }, (_, i) => values.slice(i * dimensions, (i + 1) * dimensions));
}

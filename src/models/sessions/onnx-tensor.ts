import { Tensor } from 'onnxruntime-node';

/** Values as they lie in an npy file, without a copy. onnxruntime-node 1.30 does not know Float16Array, which its own Tensor asks for: it reads the bits as uint16. */
export function npyTensor(values: Float16Array | Float32Array, shape: readonly number[]): Tensor {
  if (values instanceof Float32Array) return new Tensor('float32', values, shape);
  const bits = new Tensor('uint16', new Uint16Array(values.buffer, values.byteOffset, values.length), shape);
  return Object.assign(bits, { type: 'float16' });
}

import { bytes, float, int, message, text } from './protocol-buffers.ts';

/**
 * ONNX files for graphs that we make ourselves: heads as one graph, classifiers converted from other formats. The few messages
 * of onnx.proto3 that such a graph needs, encoded as protocol buffers. `onnx-file.ts` reads files of others.
 */

export type OnnxType = 'float32' | 'uint8' | 'int64' | 'float16';

export interface OnnxTensor {
  type: OnnxType;
  shape: readonly number[];
  /** Little-endian, as typed arrays are on all machines that we support. */
  data: ArrayBufferView;
}

export type OnnxAttribute = { int: number } | { float: number } | { ints: readonly number[] };

export interface OnnxNode {
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** An input or output; a side that is text is free. */
export interface OnnxValue {
  name: string;
  type: OnnxType;
  shape: readonly (number | string)[];
}

export interface OnnxGraph {
  inputs: readonly OnnxValue[];
  outputs: readonly OnnxValue[];
  /** Each after those whose outputs it reads. */
  nodes: readonly OnnxNode[];
  constants: Readonly<Record<string, OnnxTensor>>;
}

/** onnx.proto3, TensorProto.DataType. */
export const onnxTypeNumbers: Readonly<Record<OnnxType, number>> = { float32: 1, uint8: 2, int64: 7, float16: 10 };
/** onnx.proto3, AttributeProto.AttributeType. */
const attributeTypes = { float: 1, int: 2, ints: 7 } as const;
const IR_VERSION = 8;
const OPSET = 17;

/** The bytes of a model file. */
export function onnxModel(graph: OnnxGraph): Uint8Array {
  const encodedGraph = message(
    ...graph.nodes.map((node) => bytes(1, encodeNode(node))),
    text(2, 'graph'),
    ...Object.entries(graph.constants).map(([name, tensor]) => bytes(5, encodeTensor(name, tensor))),
    ...graph.inputs.map((value) => bytes(11, encodeValue(value))),
    ...graph.outputs.map((value) => bytes(12, encodeValue(value))),
  );
  return message(int(1, IR_VERSION), text(2, 'pairmill'), bytes(7, encodedGraph), bytes(8, message(text(1, ''), int(2, OPSET))));
}

export function encodeNode({ op, inputs, outputs, attributes = {} }: OnnxNode): Uint8Array {
  return message(
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(([name, attribute]) => bytes(5, encodeAttribute(name, attribute))),
  );
}

function encodeAttribute(name: string, attribute: OnnxAttribute): Uint8Array {
  if ('int' in attribute) return message(text(1, name), int(3, attribute.int), int(20, attributeTypes.int));
  if ('float' in attribute) return message(text(1, name), float(2, attribute.float), int(20, attributeTypes.float));
  return message(text(1, name), ...attribute.ints.map((value) => int(8, value)), int(20, attributeTypes.ints));
}

export function encodeTensor(name: string, { type, shape, data }: OnnxTensor): Uint8Array {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message(...shape.map((side) => int(1, side)), int(2, onnxTypeNumbers[type]), text(8, name), bytes(9, raw));
}

function encodeValue({ name, type, shape }: OnnxValue): Uint8Array {
  const sides = shape.map((side) => bytes(1, typeof side === 'number' ? message(int(1, side)) : message(text(2, side))));
  return message(text(1, name), bytes(2, message(bytes(1, message(int(1, onnxTypeNumbers[type]), bytes(2, message(...sides)))))));
}

import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { bytes, type Field, fieldsIn, fieldsOf, int, message, numbersIn, type ReadBytes, text, textIn } from './protocol-buffers.ts';

/** An ONNX file of another program, taken apart without its weights: to change a few nodes of a graph. */
export interface OnnxFile {
  nodes: FileNode[];
  /** Initialisers by name. */
  constants: ReadonlyMap<string, FileTensor>;
  outputs: readonly string[];
  /** Where the large weights are looked for. */
  folder: string;
  /** Encoded fields of the graph beside its nodes, and of the model beside its graph. */
  ofGraph: Uint8Array[];
  ofModel: Uint8Array[];
}

export interface FileNode {
  op: string;
  inputs: string[];
  outputs: string[];
  attributes: ReadonlyMap<string, FileAttribute>;
  encoded: Uint8Array;
}

export interface FileAttribute {
  int: number;
  ints: readonly number[];
  tensor?: FileTensor | undefined;
}

export interface FileTensor {
  shape: readonly number[];
  /** Of a small one of whole numbers. */
  integers: readonly number[];
}

/** A tensor of more bytes stays in its file. */
const SMALL = 1024;
const WINDOW = 64 * 1024;
/** onnx.proto3, TensorProto: data types of whole numbers, and the place of data that is not in the message. */
const INT32 = 6;
const INT64 = 7;
const EXTERNAL = 1;

/**
 * Takes a file apart. Its large weights are left where they are, and named as onnxruntime finds them when it is told their folder
 * (`session.model_external_initializers_file_folder_path`). Throws an Error for what is no ONNX.
 */
export function readOnnxFile(path: string): OnnxFile {
  // The hub's cache links to its files, and onnxruntime follows no link out of the folder.
  const real = realpathSync(path);
  const file = openSync(real, 'r');
  try {
    const { size } = fstatSync(file);
    let start = 0;
    let window = new Uint8Array(0);
    const read: ReadBytes = (at, length) => {
      if (at < start || at + length > start + window.length) {
        window = new Uint8Array(Math.min(Math.max(WINDOW, length), size - at));
        start = at;
        window = window.subarray(0, readSync(file, window, 0, window.length, at));
      }
      return window.subarray(at - start, at - start + length);
    };
    const ofModel: Uint8Array[] = [];
    let graph: Field | undefined;
    for (const field of fieldsOf(read, 0, size)) {
      if (field.number === 7) graph = field;
      else ofModel.push(copy(read, field.start, field.end));
    }
    if (!graph) throw new Error('a model without a graph');
    return { ...readGraph(read, graph, basename(real)), folder: dirname(real), ofModel };
  } finally {
    closeSync(file);
  }
}

/** The bytes of the model, for a session that is told the folder. */
export function encodeOnnxFile({ nodes, ofGraph, ofModel }: OnnxFile): Uint8Array {
  return message(...ofModel, bytes(7, message(...nodes.map(({ encoded }) => bytes(1, encoded)), ...ofGraph)));
}

/** The node with other inputs. */
export function withInputs(node: FileNode, inputs: string[]): FileNode {
  const others = fieldsIn(node.encoded).filter(({ number }) => number !== 1);
  return { ...node, inputs, encoded: message(...inputs.map((name) => text(1, name)), ...others.map(({ encoded }) => encoded)) };
}

function readGraph(read: ReadBytes, graph: Field, name: string): Omit<OnnxFile, 'folder' | 'ofModel'> {
  const nodes: FileNode[] = [];
  const constants = new Map<string, FileTensor>();
  const outputs: string[] = [];
  const ofGraph: Uint8Array[] = [];
  for (const field of fieldsOf(read, graph.at, graph.end)) {
    if (field.number === 1) {
      nodes.push(readNode(copy(read, field.at, field.end)));
      continue;
    }
    const encoded = field.number === 5 ? withoutWeights(read, field, name) : copy(read, field.at, field.end);
    if (field.number === 5) constants.set(textIn(encoded, 8), readTensor(encoded));
    if (field.number === 12) outputs.push(textIn(encoded, 1));
    ofGraph.push(field.number === 5 ? bytes(5, encoded) : copy(read, field.start, field.end));
  }
  return { nodes, constants, outputs, ofGraph };
}

/** The tensor's message, in which large data is named by its place in the file. */
function withoutWeights(read: ReadBytes, tensor: Field, name: string): Uint8Array {
  const kept: Uint8Array[] = [];
  for (const field of fieldsOf(read, tensor.at, tensor.end)) {
    const length = field.end - field.at;
    if (field.number !== 9 || length <= SMALL) {
      kept.push(copy(read, field.start, field.end));
      continue;
    }
    for (const [key, value] of Object.entries({ location: name, offset: field.at, length }))
      kept.push(bytes(13, message(text(1, key), text(2, String(value)))));
    kept.push(int(14, EXTERNAL));
  }
  return message(...kept);
}

function readNode(encoded: Uint8Array): FileNode {
  const fields = fieldsIn(encoded);
  const contents = (wanted: number): Uint8Array[] => fields.filter(({ number }) => number === wanted).map(({ content }) => content);
  const names = (wanted: number): string[] => contents(wanted).map((content) => new TextDecoder().decode(content));
  const attributes = new Map(contents(5).map((content) => [textIn(content, 1), readAttribute(content)]));
  return { op: textIn(encoded, 4), inputs: names(1), outputs: names(2), attributes, encoded };
}

function readAttribute(encoded: Uint8Array): FileAttribute {
  const fields = fieldsIn(encoded);
  const tensor = fields.find(({ number }) => number === 5);
  return { int: fields.find(({ number }) => number === 3)?.value ?? 0, ints: numbersIn(encoded, 8), tensor: tensor && readTensor(tensor.content) };
}

function readTensor(encoded: Uint8Array): FileTensor {
  const fields = fieldsIn(encoded);
  const type = fields.find(({ number }) => number === 2)?.value;
  const raw = fields.find(({ number }) => number === 9)?.content.slice();
  let integers = numbersIn(encoded, type === INT64 ? 7 : 5);
  if (raw && type === INT64) integers = [...new BigInt64Array(raw.buffer)].map(Number);
  if (raw && type === INT32) integers = [...new Int32Array(raw.buffer)];
  return { shape: numbersIn(encoded, 1), integers };
}

function copy(read: ReadBytes, start: number, end: number): Uint8Array {
  return read(start, end - start).slice();
}

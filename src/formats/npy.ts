import { type FileHandle, open } from 'node:fs/promises';
import { readInto } from './read-into.ts';

/**
 * NumPy's .npy files, version 1.0: two-dimensional, float16 or float32, little-endian, C order. The header is byte for
 * byte the one that `numpy.save` (2.x) writes for the same array: embedding-reader finds the shape in it by a regular
 * expression.
 */

export type NpyType = '<f2' | '<f4';

const MAGIC = Buffer.from('\x93NUMPY\x01\x00', 'latin1');
/** numpy leaves room for the first number of the shape to grow to this many digits (numpy/lib/format.py). */
const GROWTH_DIGITS = 21;
const ALIGNMENT = 64;
/** Rows read at a time by `readNpyBatches`. */
const BATCH_BYTES = 8 * 1024 * 1024;

/** The header of an array of `rows` x `dimensions`; its length does not depend on `rows`. */
export function npyHeader(rows: number, dimensions: number, type: NpyType): Buffer {
  const dictionary = `{'descr': '${type}', 'fortran_order': False, 'shape': (${rows}, ${dimensions}), }`;
  const text = dictionary + ' '.repeat(GROWTH_DIGITS - String(rows).length);
  // numpy pads to 64 with 64 - n % 64 spaces, a whole 64 where it is aligned already.
  const padding = ALIGNMENT - ((MAGIC.length + 2 + text.length + 1) % ALIGNMENT);
  const body = Buffer.from(`${text}${' '.repeat(padding)}\n`, 'latin1');
  const length = Buffer.alloc(2);
  length.writeUInt16LE(body.length);
  return Buffer.concat([MAGIC, length, body]);
}

/** A whole array in memory. */
export interface NpyArray {
  rows: number;
  dimensions: number;
  /** Row `i` in float32; for a float32 file a view of the array, not a copy. */
  row(i: number): Float32Array;
}

/** Reads a whole file. Use `readNpyBatches` where it may be large. */
export async function readNpy(path: string): Promise<NpyArray> {
  const file = await open(path, 'r');
  try {
    const shape = await readShape(file, path);
    const values = await readValues(file, shape, 0, shape.rows);
    return { rows: shape.rows, dimensions: shape.dimensions, row: (i) => rowOf(values, i, shape) };
  } finally {
    await file.close();
  }
}

/** Reads rows in order, a few MiB in memory at a time: arrays of rows in float32, with the number of the first. */
export async function* readNpyBatches(path: string, rowsPerBatch?: number): AsyncGenerator<{ start: number; rows: Float32Array[] }> {
  const file = await open(path, 'r');
  try {
    const shape = await readShape(file, path);
    const step = rowsPerBatch ?? Math.max(1, Math.floor(BATCH_BYTES / shape.rowBytes));
    for (let start = 0; start < shape.rows; start += step) {
      const count = Math.min(step, shape.rows - start);
      const values = await readValues(file, shape, start, count);
      yield { start, rows: Array.from({ length: count }, (_, i) => rowOf(values, i, shape)) };
    }
  } finally {
    await file.close();
  }
}

/** Consecutive rows as they lie in the file: `rows` x `dimensions` values, then what the buffer held before. */
export interface NpyBlock {
  start: number;
  rows: number;
  values: Float16Array | Float32Array;
}

/**
 * Reads blocks of `rowsPerBlock` rows in order, without a copy and one ahead of the caller. `values` always has room for a whole block, and
 * is overwritten when the next but one is read: use it before you ask for the next.
 */
export async function* readNpyBlocks(path: string, rowsPerBlock: number): AsyncGenerator<NpyBlock> {
  const file = await open(path, 'r');
  let ahead: Promise<NpyBlock> | undefined;
  try {
    const shape = await readShape(file, path);
    const length = rowsPerBlock * shape.dimensions;
    const buffers = [0, 1].map(() => npyValues(shape.type, length));
    const read = async (start: number): Promise<NpyBlock> => {
      const values = buffers[(start / rowsPerBlock) % 2]!;
      const rows = Math.min(rowsPerBlock, shape.rows - start);
      await readRows(file, shape, start, new Uint8Array(values.buffer, 0, rows * shape.rowBytes));
      return { start, rows, values };
    };
    for (let start = 0; start < shape.rows; start += rowsPerBlock) {
      const block = await (ahead ?? read(start));
      ahead = start + rowsPerBlock < shape.rows ? read(start + rowsPerBlock) : undefined;
      // A caller that stops early never asks for it.
      ahead?.catch(() => undefined);
      yield block;
    }
  } finally {
    await ahead?.catch(() => undefined);
    await file.close();
  }
}

/** A file whose rows are read in any order. */
export interface NpyRows {
  readonly rows: number;
  readonly dimensions: number;
  readonly type: NpyType;
  /** `rows` rows from `start` on, as they lie in the file, into the beginning of `values`. */
  read(start: number, rows: number, values: Float16Array | Float32Array): Promise<void>;
  close(): Promise<void>;
}

export async function openNpyRows(path: string): Promise<NpyRows> {
  const file = await open(path, 'r');
  const shape = await readShape(file, path).catch(async (error: unknown) => {
    await file.close();
    throw error;
  });
  const { rows, dimensions, type, rowBytes } = shape;
  return {
    rows,
    dimensions,
    type,
    read: (start, count, values) => readRows(file, shape, start, new Uint8Array(values.buffer, values.byteOffset, count * rowBytes)),
    close: () => file.close(),
  };
}

/** An array for `length` values of a file's type. */
export function npyValues(type: NpyType, length: number): Float16Array | Float32Array {
  return type === '<f2' ? new Float16Array(length) : new Float32Array(length);
}

/** Some rows of a file, one after another in float32; `numbers` count from 0. */
export async function readNpyRows(path: string, numbers: readonly number[]): Promise<Float32Array> {
  const file = await open(path, 'r');
  try {
    const shape = await readShape(file, path);
    const rows = new Float32Array(numbers.length * shape.dimensions);
    for (const [i, number] of numbers.entries()) {
      if (number >= shape.rows) throw new RangeError(`${path} has ${shape.rows} rows and no row ${number}`);
      rows.set(await readValues(file, shape, number, 1), i * shape.dimensions);
    }
    return rows;
  } finally {
    await file.close();
  }
}

/** The shape that the header declares; throws where the file is no such array or was cut. */
export async function npyShape(path: string): Promise<{ rows: number; dimensions: number; type: NpyType }> {
  const file = await open(path, 'r');
  try {
    const { rows, dimensions, type } = await readShape(file, path);
    return { rows, dimensions, type };
  } finally {
    await file.close();
  }
}

interface Shape {
  rows: number;
  dimensions: number;
  type: NpyType;
  /** Of the first value. */
  offset: number;
  rowBytes: number;
}

async function readShape(file: FileHandle, path: string): Promise<Shape> {
  const start = Buffer.alloc(10);
  await file.read(start, 0, 10, 0);
  if (!start.subarray(0, 6).equals(MAGIC.subarray(0, 6)) || start[6] !== 1) throw new Error(`${path} is not a NumPy array of version 1.0`);
  const length = start.readUInt16LE(8);
  const header = Buffer.alloc(length);
  await file.read(header, 0, length, 10);
  const text = header.toString('latin1');
  const [, type] = /'descr': '(<f[24])'/.exec(text) ?? [];
  const [, rowsText, dimensionsText] = /'shape': \((\d+), (\d+)\)/.exec(text) ?? [];
  if (!type || !rowsText || !dimensionsText || !text.includes("'fortran_order': False")) {
    throw new Error(
      `${path} is not a two-dimensional array of float16 or float32 in C order, as numpy.ascontiguousarray(x, 'float32') makes it: its header is ${text.trim()}`,
    );
  }
  const [rows, dimensions] = [Number(rowsText), Number(dimensionsText)];
  const shape: Shape = { rows, dimensions, type: type as NpyType, offset: 10 + length, rowBytes: dimensions * (type === '<f2' ? 2 : 4) };
  const { size } = await file.stat();
  const expected = shape.offset + rows * shape.rowBytes;
  if (size !== expected) throw new Error(`${path} has ${size} bytes where its header asks for ${expected}: it was cut or is still being written`);
  return shape;
}

async function readValues(file: FileHandle, shape: Shape, start: number, count: number): Promise<Float16Array | Float32Array> {
  const length = count * shape.dimensions;
  const values = npyValues(shape.type, length);
  await readRows(file, shape, start, new Uint8Array(values.buffer));
  return values;
}

async function readRows(file: FileHandle, shape: Shape, start: number, bytes: Uint8Array): Promise<void> {
  if ((await readInto(file, bytes, shape.offset + start * shape.rowBytes)) < bytes.length) throw new Error('the array ended while it was read');
}

function rowOf(values: Float16Array | Float32Array, i: number, { dimensions }: Shape): Float32Array {
  const row = values.subarray(i * dimensions, (i + 1) * dimensions);
  return row instanceof Float32Array ? row : Float32Array.from(row);
}

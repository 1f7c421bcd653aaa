import { readFile } from 'node:fs/promises';

/**
 * Reads and writes safetensors files: eight bytes of header length (u64, little-endian), a JSON header that gives every tensor's
 * type, shape and place, then the values. Format: huggingface/safetensors, README "Format".
 */

export interface Tensor {
  shape: number[];
  data: Float32Array;
}

export interface Safetensors {
  /** `__metadata__` of the header. */
  metadata: Record<string, string>;
  tensors: Map<string, Tensor>;
}

/** Longest header that we read; the format's own limit is 100 MB, heads have a few hundred bytes. */
const MAX_HEADER_BYTES = 16 * 1024 * 1024;

const decoders: Record<string, { bytes: number; decode(view: DataView, at: number): number }> = {
  F16: { bytes: 2, decode: (view, at) => view.getFloat16(at, true) },
  BF16: { bytes: 2, decode: (view, at) => bfloat16(view.getUint16(at, true)) },
  F32: { bytes: 4, decode: (view, at) => view.getFloat32(at, true) },
  F64: { bytes: 8, decode: (view, at) => view.getFloat64(at, true) },
};

/** Reads a whole file; values of every float type come as float32. Throws where it is cut or holds another type. */
export async function readSafetensors(path: string): Promise<Safetensors> {
  const bytes = await readFile(path);
  const broken = (why: string): Error => new Error(`${path} is not a readable safetensors file: ${why}`);
  if (bytes.length < 8) throw broken(`it has ${bytes.length} bytes`);
  const length = bytes.readBigUInt64LE(0);
  if (length > BigInt(Math.min(MAX_HEADER_BYTES, bytes.length - 8))) throw broken(`its header would have ${length} bytes, the file has ${bytes.length}`);
  const start = 8 + Number(length);
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(bytes.toString('utf8', 8, start)) as typeof header;
  } catch (error) {
    throw broken(`its header is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  const { __metadata__: metadata = {}, ...entries } = header as unknown as { __metadata__?: Record<string, string> } & typeof header;
  const tensors = new Map<string, Tensor>();
  for (const [
    name,
    {
      dtype,
      shape,
      data_offsets: [from, to],
    },
  ] of Object.entries(entries)) {
    const decoder = decoders[dtype];
    if (!decoder) throw broken(`tensor ${name} is of type ${dtype}; ${Object.keys(decoders).join(', ')} are read`);
    const count = shape.reduce((product, side) => product * side, 1);
    if (from < 0 || to - from !== count * decoder.bytes || start + to > bytes.length)
      throw broken(`tensor ${name} of shape ${JSON.stringify(shape)} does not fit bytes ${from} to ${to}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset + start + from, to - from);
    tensors.set(name, { shape, data: Float32Array.from({ length: count }, (_, i) => decoder.decode(view, i * decoder.bytes)) });
  }
  return { metadata, tensors };
}

/** The bytes of a file with float32 tensors. Metadata and tensors stand in the order given; the values begin at a multiple of 8. */
export function safetensorsBytes(
  tensors: Readonly<Record<string, { shape: number[]; data: ArrayLike<number> }>>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const bytes = new Uint8Array(Float32Array.from(data).buffer);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    parts.push(bytes);
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  const padding = Buffer.alloc((8 - (json.length % 8)) % 8, ' ');
  length.writeBigUInt64LE(BigInt(json.length + padding.length));
  return Buffer.concat([length, json, padding, ...parts]);
}

const bits = new Uint32Array(1);
const asFloat = new Float32Array(bits.buffer);

function bfloat16(value: number): number {
  bits[0] = value << 16;
  return asFloat[0]!;
}

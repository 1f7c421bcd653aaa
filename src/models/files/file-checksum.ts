import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/** What a pass over a file found. */
export interface FileChecksum {
  /** In hex. */
  sha256: string;
  /** Git's name of the content (sha1 over `blob SIZE\0` and the bytes): the hub's ETag of small files. */
  gitBlob: string;
  bytes: number;
  /** Names of the files beside it in which an ONNX model keeps its weights (`model.onnx_data`). */
  externalData: string[];
}

/** `location` as an ONNX TensorProto's external_data entry spells it: key (field 1), then value (field 2) with its length. */
const LOCATION = Buffer.from('\x0a\x08location\x12', 'latin1');
const LONGEST_NAME = 127;
const READ_BYTES = 4 * 1024 * 1024;

/** Reads the file once. */
export async function fileChecksum(path: string): Promise<FileChecksum> {
  const { size } = await stat(path);
  const sha256 = createHash('sha256');
  const gitBlob = createHash('sha1').update(`blob ${size}\0`);
  const names = new Set<string>();
  const onnx = /\.onnx(\.part)?$/.test(path);
  let bytes = 0;
  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>) {
    sha256.update(chunk);
    gitBlob.update(chunk);
    bytes += chunk.length;
    if (!onnx) continue;
    const window = Buffer.concat([tail, chunk]);
    for (const name of externalNames(window)) names.add(name);
    // An entry may lie across two chunks.
    tail = window.subarray(-(LOCATION.length + 1 + LONGEST_NAME));
  }
  return { sha256: sha256.digest('hex'), gitBlob: gitBlob.digest('hex'), bytes, externalData: [...names].sort() };
}

function* externalNames(bytes: Buffer): Generator<string> {
  for (let at = bytes.indexOf(LOCATION); at >= 0; at = bytes.indexOf(LOCATION, at + 1)) {
    const start = at + LOCATION.length + 1;
    const length = bytes[start - 1];
    if (length === undefined || length > LONGEST_NAME || start + length > bytes.length) continue;
    const name = bytes.toString('utf8', start, start + length);
    // A path that leaves the folder is no name of a model's own file.
    if (/^[\w.-]+$/.test(name) && !name.startsWith('.')) yield name;
  }
}

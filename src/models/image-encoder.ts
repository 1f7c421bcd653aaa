import sharp from 'sharp';
import { messageOf } from '../contracts/errors.ts';
import { freeBytes } from '../pictures/free-bytes.ts';
import { decodePicture, normaliser } from './image-preprocessing.ts';
import type { ImagePreprocessing } from './model-entry.ts';
import { type OnnxSession, outputName } from './sessions/onnx-session.ts';
import { batchesAhead } from './sessions/shared-session.ts';
import { Underway } from './sessions/underway.ts';
import { normalise, rowsOf } from './vectors.ts';

/** Encodes pictures; one that can't be decoded gives an Error in its place. */
export type ImageEncoder = (pictures: readonly Uint8Array[]) => Promise<(Float32Array | Error)[]>;

type Decoded = Awaited<ReturnType<typeof decodePicture>>;

/** Pictures that are decoded at a time: libvips works in threads of its own. */
const LANES = 2;

/** Which output of a model is read (the first of these that it has, else its first), and what is made of a row of it. */
export interface Reading {
  outputs: readonly string[];
  finish(row: Float32Array): Float32Array;
}

const embedding: Reading = { outputs: ['image_embeds', 'pooler_output', 'embedding', 'sentence_embedding'], finish: normalise };

/** Pictures are decoded here while the batches before them are computed. `dimensions`: numbers of a row. */
export function imageEncoder(session: OnnxSession, preprocessing: ImagePreprocessing, dimensions: number, reading = embedding): ImageEncoder {
  const { size } = preprocessing;
  const values = 3 * size * size;
  const [input] = session.inputs;
  const output = outputName(session, reading.outputs);
  const batchSize = input!.shape[0] ?? session.pace.rows;
  const write = normaliser(preprocessing);
  // libvips would start threads for each small picture; the lanes keep the cores busy.
  sharp.concurrency(1);

  const decode = async (picture: Uint8Array): Promise<Decoded | Error> => {
    try {
      return await decodePicture(picture, preprocessing);
    } catch (error) {
      return new Error(`the picture could not be decoded: ${messageOf(error).split('\n')[0]}`);
    }
  };

  const infer = async (decoded: readonly Decoded[]): Promise<Float32Array[]> => {
    const rows = input!.shape[0] ?? decoded.length;
    const data = new Float32Array(rows * values);
    for (const [i, picture] of decoded.entries()) {
      write(picture, data, i * values);
      freeBytes(picture);
    }
    const result = (await session.run({ [input!.name]: { type: 'float32', data, dims: [rows, 3, size, size] } }))[output]!;
    freeBytes(data);
    return rowsOf(result, rows, dimensions)
      .slice(0, decoded.length)
      .map((row) => reading.finish(row));
  };

  return async (pictures) => {
    const results: (Float32Array | Error)[] = [];
    const batches = new Underway(batchesAhead(session));
    for (let start = 0; start < pictures.length; start += batchSize) {
      const decoded = await decodeAll(pictures.slice(start, start + batchSize), decode);
      const good: { at: number; pixels: Decoded }[] = [];
      for (const [i, pixels] of decoded.entries()) {
        if (pixels instanceof Error) results[start + i] = pixels;
        else good.push({ at: start + i, pixels });
      }
      if (good.length === 0) continue;
      await batches.start(async () => {
        const embeddings = await infer(good.map(({ pixels }) => pixels));
        for (const [i, { at }] of good.entries()) results[at] = embeddings[i]!;
      });
    }
    await batches.end();
    return results;
  };
}

/** Decodes all, a few at a time: more than the thread pool holds would only queue. */
async function decodeAll(pictures: readonly Uint8Array[], decode: (picture: Uint8Array) => Promise<Decoded | Error>): Promise<(Decoded | Error)[]> {
  const decoded: (Decoded | Error)[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < pictures.length) {
      const i = next++;
      decoded[i] = await decode(pictures[i]!);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return decoded;
}

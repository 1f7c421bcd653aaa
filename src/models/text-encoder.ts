import { messageOf, RunError } from '../contracts/errors.ts';
import type { Tensor as Weights } from '../formats/safetensors.ts';
import type { Reading } from './image-encoder.ts';
import type { TextTower } from './model-entry.ts';
import { type OnnxSession, outputName, type Values } from './sessions/onnx-session.ts';
import { batchesAhead } from './sessions/shared-session.ts';
import type { Tokenizer } from './tokenizers/tokenizer.ts';
import { Underway } from './sessions/underway.ts';
import { normalise, rowsOf } from './vectors.ts';

/**
 * Texts are padded to a multiple of this by their own length alone, never by what else is in the batch: to fewer lengths, so that batches
 * fill up. Measured with B/32 and LAION's captions: 13.2 ms a text with 4, 2 and 1, 14.8 with 8.
 */
const LENGTH_STEP = 4;
/** The same in int8, where the numbers depend on the padding, and a batch is one text anyway. */
export const INT8_LENGTH_STEP = 8;

/** Encodes texts; one that can't be tokenised gives an Error in its place. */
export type TextEncoder = (texts: readonly string[]) => Promise<(Float32Array | Error)[]>;

export interface Projection {
  weight: Weights;
  bias?: Weights | undefined;
}

const embedding: Reading = { outputs: ['text_embeds', 'pooler_output', 'embedding', 'sentence_embedding'], finish: normalise };

/** `dimensions`: numbers of what comes out. */
export function textEncoder(
  session: OnnxSession,
  tokenize: Tokenizer,
  tower: Omit<TextTower, 'source' | 'file'> & { lengthStep?: number },
  dimensions: number,
  projection?: Projection,
  reading = embedding,
): TextEncoder {
  const ids = inputLike(session, ['input_ids', 'text']);
  const mask = session.inputs.find(({ name }) => name === 'attention_mask');
  const types = session.inputs.find(({ name }) => name === 'token_type_ids');
  const fixedRows = ids.shape[0];
  const { rows } = session.pace;
  const fixedLength = ids.shape[1] ?? (tower.padding === 'full' ? tower.maxTokens : undefined);
  const output = outputName(session, tower.pooling === 'mean' ? ['token_embeddings', 'last_hidden_state'] : reading.outputs);

  const { lengthStep = LENGTH_STEP } = tower;
  const paddedLength = (tokens: readonly number[]): number => fixedLength ?? Math.min(tower.maxTokens, Math.ceil(tokens.length / lengthStep) * lengthStep);

  const infer = async (batch: readonly (readonly number[])[], length: number): Promise<Float32Array[]> => {
    const rows = fixedRows ?? batch.length;
    const padded = new Float64Array(rows * length).fill(tower.padId);
    const kept = new Float64Array(rows * length);
    for (let row = 0; row < rows; row++) {
      // Rows that only fill up a fixed batch repeat its last text.
      const tokens = batch[Math.min(row, batch.length - 1)]!;
      padded.set(tokens, row * length);
      kept.fill(1, row * length, row * length + tokens.length);
    }
    const feeds: Record<string, Values> = { [ids.name]: integers(ids.type, padded, [rows, length]) };
    if (mask) feeds[mask.name] = integers(mask.type, kept, [rows, length]);
    if (types) feeds[types.name] = integers(types.type, new Float64Array(rows * length), [rows, length]);
    const result = (await session.run(feeds))[output]!;
    const vectors =
      tower.pooling === 'mean' ? meanOverTokens(result, kept, rows, length) : rowsOf(result, rows, projection ? (result.dims[1] ?? 0) : dimensions);
    return vectors.slice(0, batch.length).map((vector) => reading.finish(projection ? project(vector, projection, dimensions) : vector));
  };

  return async (texts) => {
    const results: (Float32Array | Error)[] = [];
    const batches = new Underway(batchesAhead(session));
    const byLength = new Map<number, { index: number; tokens: number[] }[]>();
    texts.forEach((text, index) => {
      let tokens: number[];
      try {
        tokens = tokenize(text);
      } catch (error) {
        results[index] = new Error(`the text could not be tokenised: ${messageOf(error)}`);
        return;
      }
      const length = paddedLength(tokens);
      let group = byLength.get(length);
      if (!group) byLength.set(length, (group = []));
      group.push({ index, tokens });
    });
    for (const [length, group] of byLength) {
      // One row a run stays one: the numbers of an int8 model depend on their batch.
      const size = fixedRows ?? (rows === 1 ? 1 : Math.max(1, Math.floor((rows * tower.maxTokens) / length)));
      for (let start = 0; start < group.length; start += size) {
        const batch = group.slice(start, start + size);
        await batches.start(async () => {
          const vectors = await infer(
            batch.map(({ tokens }) => tokens),
            length,
          );
          batch.forEach(({ index }, i) => (results[index] = vectors[i]!));
        });
      }
    }
    await batches.end();
    return results;
  };
}

function inputLike(session: OnnxSession, names: readonly string[]): OnnxSession['inputs'][number] {
  return session.inputs.find(({ name }) => names.includes(name)) ?? session.inputs[0]!;
}

function integers(type: string, values: Float64Array, dims: number[]): Values {
  return type === 'int32' ? { type, data: Int32Array.from(values), dims } : { type: 'int64', data: BigInt64Array.from(values, BigInt), dims };
}

/** sentence-transformers' mean pooling: [rows, length, width] over the tokens that are no padding. */
function meanOverTokens(output: Values, kept: Float64Array, rows: number, length: number): Float32Array[] {
  const width = output.dims[2];
  if (output.type !== 'float32' || output.dims.length !== 3 || width === undefined)
    throw new RunError(`The text model gave ${output.type} ${JSON.stringify(output.dims)} where a vector for each token is expected.`);
  const values = output.data as Float32Array;
  return Array.from({ length: rows }, (_, row) => {
    const sum = new Float64Array(width);
    let count = 0;
    for (let token = 0; token < length; token++) {
      if (kept[row * length + token] === 0) continue;
      count++;
      const at = (row * length + token) * width;
      for (let i = 0; i < width; i++) sum[i]! += values[at + i]!;
    }
    return Float32Array.from(sum, (value) => value / Math.max(1, count));
  });
}

/** weight [dimensions, width] times the vector, plus bias. */
function project(vector: Float32Array, { weight, bias }: Projection, dimensions: number): Float32Array {
  const width = vector.length;
  if (weight.shape[0] !== dimensions || weight.shape[1] !== width)
    throw new RunError(`The text projection has shape ${JSON.stringify(weight.shape)} where [${dimensions},${width}] is expected.`);
  return Float32Array.from({ length: dimensions }, (_, row) => {
    let sum = bias ? bias.data[row]! : 0;
    for (let i = 0; i < width; i++) sum += weight.data[row * width + i]! * vector[i]!;
    return sum;
  });
}

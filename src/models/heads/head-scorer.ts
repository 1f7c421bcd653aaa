import { InferenceSession } from 'onnxruntime-node';
import type { NpyType } from '../../formats/npy.ts';
import { onnxModel } from '../../formats/onnx-model.ts';
import type { Head } from './head.ts';
import { headGraph } from './head-graph.ts';
import { npyTensor } from '../sessions/onnx-tensor.ts';

/** Scores blocks of embeddings as they lie in an npy file by several heads at once. */
export interface HeadScorer {
  /** Rows of a block. */
  readonly rowsPerBlock: number;
  /** A number for each of the first `rows` rows, by head. A row's number does not depend on the other rows, nor on the other heads. */
  score(values: Float16Array | Float32Array, rows: number): Promise<Float32Array[]>;
  close(): Promise<void>;
}

/** Tried: blocks of 0.75 MiB and of 3 MiB are equally fast (docs/notes/tag.md). */
const BLOCK_BYTES = 2 * 1024 * 1024;

/** `heads` read embeddings of `dimensions` numbers of that type. */
export async function openHeadScorer(heads: readonly Head[], dimensions: number, type: NpyType): Promise<HeadScorer> {
  const rowsPerBlock = Math.max(1, Math.floor(BLOCK_BYTES / (dimensions * (type === '<f2' ? 2 : 4))));
  // A model of the hub ships none.
  if (heads.length === 0) return { rowsPerBlock, score: async () => [], close: async () => undefined };
  const session = await InferenceSession.create(onnxModel(headGraph(heads, type === '<f2' ? 'float16' : 'float32')), {
    executionProviders: ['cpu'],
    // One: each worker has a part of its own.
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  return {
    rowsPerBlock,
    async score(values, rows) {
      // Always a whole block: products of few rows are computed by other code, with other last digits.
      const results = await session.run({ x: npyTensor(values, [rowsPerBlock, dimensions]) });
      return heads.map((_, i) => (results[`y${i}`]!.data as Float32Array).subarray(0, rows));
    },
    close: () => session.release(),
  };
}

/** One head on rows in memory, one after another. */
export async function scoreRows(head: Head, values: Float32Array): Promise<Float32Array> {
  const scorer = await openHeadScorer([head], head.dimensions, '<f4');
  const block = new Float32Array(scorer.rowsPerBlock * head.dimensions);
  const scores = new Float32Array(values.length / head.dimensions);
  for (let start = 0; start < scores.length; start += scorer.rowsPerBlock) {
    const rows = Math.min(scorer.rowsPerBlock, scores.length - start);
    block.set(values.subarray(start * head.dimensions, (start + rows) * head.dimensions));
    scores.set((await scorer.score(block, rows))[0]!, start);
  }
  await scorer.close();
  return scores;
}

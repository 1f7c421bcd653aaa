import { InferenceSession, type Tensor } from 'onnxruntime-node';
import { messageOf, RunError } from '../contracts/errors.ts';

/** One ONNX file, loaded. */
export interface OnnxSession {
  readonly inputs: readonly OnnxInput[];
  readonly outputs: readonly string[];
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

export interface OnnxInput {
  name: string;
  type: string;
  /** A number where the export fixed the side, else undefined. */
  shape: (number | undefined)[];
}

/**
 * Loads an ONNX file for the CPU in float32 as it is written. Which threads run it does not change what comes out.
 * Throws RunError where onnxruntime refuses the file.
 */
export async function openOnnxSession(path: string, threads: number): Promise<OnnxSession> {
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(path, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Errors only: exporters leave initialisers behind that onnxruntime warns of.
      logSeverityLevel: 3,
      // Spinning idle threads would take the cores from the decoding of the next batch.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
  } catch (error) {
    throw new RunError(
      `The model file ${path} can't be loaded: ${messageOf(error)}. It is damaged or no ONNX model: remove it so that it is fetched again, restore it, or give another --model.`,
      { cause: error },
    );
  }
  let closed: Promise<void> | undefined;
  return {
    inputs: session.inputMetadata.map((input) =>
      input.isTensor
        ? { name: input.name, type: input.type, shape: input.shape.map((side) => (typeof side === 'number' ? side : undefined)) }
        : { name: input.name, type: 'none', shape: [] },
    ),
    outputs: session.outputNames,
    run: (feeds) => session.run(feeds),
    // Once: models that share an image tower share its session.
    close: () => (closed ??= session.release()),
  };
}

/** The first of the preferred names that the model has, else its first output. */
export function outputName(session: OnnxSession, preferred: readonly string[]): string {
  return preferred.find((name) => session.outputs.includes(name)) ?? session.outputs[0]!;
}

import { InferenceSession, type OnnxValue, Tensor } from 'onnxruntime-node';
import { messageOf, RunError } from '../../contracts/errors.ts';
import { withEarlyClassToken } from './class-token.ts';

/** The values of an input or output: plain data, so that they can go to another thread. */
export interface Values {
  type: string;
  data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
  dims: readonly number[];
}

/** One ONNX file, loaded. */
export interface OnnxSession {
  readonly inputs: readonly OnnxInput[];
  readonly outputs: readonly string[];
  /** How it is best fed. */
  readonly pace: Pace;
  /** The feeds are given away: their memory may move to another thread. */
  run(feeds: Readonly<Record<string, Values>>): Promise<Readonly<Record<string, Values>>>;
  close(): Promise<void>;
}

export interface OnnxInput {
  name: string;
  type: string;
  /** A number where the export fixed the side, else undefined. */
  shape: (number | undefined)[];
}

/** What calibration decides of a model on a machine. Changes no result. */
export interface Pace {
  /** Sessions that run at a time, each in a thread of its own. */
  sessions: number;
  /** Threads of each. */
  threads: number;
  /** Rows of a batch. */
  rows: number;
}

export const devices = ['cpu', 'cuda', 'webgpu'] as const;
export type Device = (typeof devices)[number];

/**
 * Loads an ONNX file, less what a picture tower computes for nothing (`class-token.ts`). How many threads run it does not change what comes out.
 * Throws RunError where onnxruntime refuses the file, or the device is not there.
 */
export async function openOnnxSession(path: string, threads: number, device: Device = 'cpu', pace: Pace = alone(threads)): Promise<OnnxSession> {
  const options = (more: object): InferenceSession.SessionOptions => ({
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Errors only: exporters leave initialisers behind that onnxruntime warns of.
    logSeverityLevel: 3,
    // Spinning idle threads would take the cores from the decoding of the next batch.
    extra: { session: { intra_op: { allow_spinning: '0' }, ...more } },
  });
  const shorter = device === 'cpu' ? withEarlyClassToken(path) : undefined;
  let session: InferenceSession;
  try {
    const changed = shorter && InferenceSession.create(shorter.model, options({ model_external_initializers_file_folder_path: shorter.folder }));
    // Where that can't be, as the file is.
    session = (await changed?.catch(() => undefined)) ?? (await InferenceSession.create(path, options({})));
  } catch (error) {
    const said = messageOf(error);
    if (device !== 'cpu' && !said.includes('.onnx'))
      throw new RunError(
        `--device ${device} does not work here: ${said.split('\n')[0]}. ${deviceAdvice[device]} Or leave --device out: models then compute on the cores.`,
        { cause: error },
      );
    throw new RunError(
      `The model file ${path} can't be loaded: ${said}. It is damaged or no ONNX model: remove it so that it is fetched again, restore it, or give another --model.`,
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
    pace,
    run: async (feeds) => valuesOf(await session.run(Object.fromEntries(Object.entries(feeds).map(([name, values]) => [name, tensorOf(values)])))),
    // Once: models that share an image tower share its session.
    close: () => (closed ??= session.release()),
  };
}

const deviceAdvice = {
  cuda: "It needs an NVIDIA GPU with CUDA 12 and cuDNN 9, and onnxruntime-node's CUDA files, which `npm explore onnxruntime-node -- npm run postinstall` fetches on Linux x64.",
  webgpu: 'It needs a GPU that onnxruntime-node reaches by Vulkan, Metal or Direct3D.',
};

/** Rows of a batch where nothing was calibrated. Measured with mini: 0.89 ms a picture in batches of 16, 0.96 of 64, 1.12 one by one. */
export const USUAL_ROWS = 16;

/** One session in the thread that asks. */
export const alone = (threads: number): Pace => ({ sessions: 1, threads, rows: USUAL_ROWS });

function tensorOf({ type, data, dims }: Values): Tensor {
  return new Tensor(type as 'float32', data as Float32Array, [...dims]);
}

function valuesOf(outputs: Readonly<Record<string, OnnxValue>>): Record<string, Values> {
  return Object.fromEntries(Object.entries(outputs).map(([name, { type, data, dims }]) => [name, { type, data: data as Values['data'], dims }]));
}

/** The first of the preferred names that the model has, else its first output. */
export function outputName(session: OnnxSession, preferred: readonly string[]): string {
  return preferred.find((name) => session.outputs.includes(name)) ?? session.outputs[0]!;
}

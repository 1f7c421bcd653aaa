import type { SessionSettings } from './sessions/encoder-messages.ts';
import type { ImageEncoder } from './image-encoder.ts';
import type { ModelParts } from './model-parts.ts';
import type { ModelSettings } from './model-settings.ts';
import type { OnnxSession } from './sessions/onnx-session.ts';
import { withoutRepeats } from './repeated-pictures.ts';
import type { TextEncoder } from './text-encoder.ts';

/** What encoder threads have computed for a worker. */
export interface EncoderUsage {
  /** Seconds of all encoder threads together. */
  seconds: number;
  /** Encoder threads. */
  threads: number;
}

/** One half of a model, loaded: it owns its ONNX session. */
export interface Tower<Encode> {
  encode: Encode;
  /** What its sessions have computed for this worker. */
  usage(): EncoderUsage;
  close(): Promise<void>;
}

/** Opens an ONNX file: in this thread, or in one that all workers share. */
export type OpenSession = (settings: SessionSettings) => Promise<OnnxSession & { seconds?(): number }>;

/** In this thread, which then computes and does nothing else meanwhile. */
export const openHere: OpenSession = async ({ path, device, threads = 1, calibration }) => {
  const { alone, openOnnxSession } = await import('./sessions/onnx-session.ts');
  const pace = alone(threads);
  return openOnnxSession(path, threads, device, { ...pace, rows: calibration.fixedRows ?? pace.rows });
};

// The code is loaded with the first tower, with sharp: all worker threads have this file, and few need a model.

export async function openImageTower({ entry, files }: ModelParts, settings: ModelSettings, openSession: OpenSession): Promise<Tower<ImageEncoder>> {
  const { imageEncoder } = await import('./image-encoder.ts');
  const { size } = entry.image.preprocessing;
  const session = await openSession(sessionSettings(files.vision, [3, size, size], settings));
  const encode = withoutRepeats(imageEncoder(session, entry.image.preprocessing, entry.dimensions), entry.dimensions);
  return towerOf(encode, session);
}

export async function openTextTower(
  { entry, files, tokenize, projection }: ModelParts,
  settings: ModelSettings,
  openSession: OpenSession,
): Promise<Tower<TextEncoder>> {
  const { INT8_LENGTH_STEP, textEncoder } = await import('./text-encoder.ts');
  const session = await openSession(sessionSettings(files.text, [entry.text.maxTokens], settings));
  const tower = settings.precision === 'int8' ? { ...entry.text, lengthStep: INT8_LENGTH_STEP } : entry.text;
  return towerOf(textEncoder(session, tokenize, tower, entry.dimensions, projection), session);
}

/** The numbers of an int8 model are scaled by the largest of its batch: one row a batch makes them depend on their own item alone. */
const INT8_ROWS = 1;

/** How the session of a model's file is opened. `sides`: of a row of its input. */
export function sessionSettings(
  path: string,
  sides: readonly number[],
  { precision, device = 'cpu', threads, sessions, cacheFolder }: ModelSettings,
): SessionSettings {
  return { path, device, threads, sessions, calibration: { cacheFolder, sides, fixedRows: precision === 'int8' ? INT8_ROWS : undefined } };
}

/** One half of a model, or a classifier, with its session. */
export function towerOf<Encode>(encode: Encode, session: Awaited<ReturnType<OpenSession>>): Tower<Encode> {
  return { encode, usage: () => ({ seconds: session.seconds?.() ?? 0, threads: session.pace.sessions }), close: () => session.close() };
}

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ModelSettings } from '../models/model-settings.ts';
import { RequestLimit } from './request-limit.ts';

export interface PictureThreadSettings {
  /** Id or folder of the model. */
  model: string;
  settings: ModelSettings;
  maxPixels: number;
}

export type ToPictureThread = { id: number; picture: Uint8Array } | { stop: true };
/** `fault` is what is wrong with the picture; `failure` is ours. */
export type FromPictureThread = { id: number } & ({ vector: Float32Array } | { fault: string } | { failure: string });

/** Pictures that may be under way: one is decoded, the others wait with their bytes in memory. */
const MAX_PICTURES = 8;

interface Waiting {
  resolve(result: Float32Array | Error): void;
  reject(error: Error): void;
}

/**
 * Decodes and encodes pictures in a thread of its own, one at a time: decoding, shrinking and the model would hold up every other
 * answer for as long as they take, and several large pictures at once take several times the memory. The thread starts with the first.
 */
export class PictureThread {
  readonly #settings: PictureThreadSettings;
  readonly #limit = new RequestLimit(MAX_PICTURES, 'pictures are being searched by');
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #last = 0;

  constructor(settings: PictureThreadSettings) {
    this.#settings = settings;
  }

  /** The vector, or an Error that says what is wrong with the picture. Throws HttpError (503) where too many are under way. */
  encode(picture: Uint8Array): Promise<Float32Array | Error> {
    return this.#limit.run(
      () =>
        new Promise((resolve, reject) => {
          const id = ++this.#last;
          this.#waiting.set(id, { resolve, reject });
          this.#worker ??= this.#start();
          this.#worker.postMessage({ id, picture } satisfies ToPictureThread);
        }),
    );
  }

  /** Ends the thread when what it has is done. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage({ stop: true } satisfies ToPictureThread);
    await ended;
  }

  #start(): Worker {
    // In the published package both files are .js.
    const worker = new Worker(new URL(`./picture-worker${extname(import.meta.filename)}`, import.meta.url), { workerData: this.#settings });
    worker.on('message', (message: FromPictureThread) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if ('vector' in message) waiting?.resolve(message.vector);
      else if ('fault' in message) waiting?.resolve(new Error(message.fault));
      else waiting?.reject(new Error(message.failure));
    });
    let cause: Error | undefined;
    worker.on('error', (error: Error) => (cause = error));
    worker.on('exit', () => {
      // The next picture starts another.
      this.#worker = undefined;
      for (const { reject } of this.#waiting.values()) reject(new Error('the thread that encodes pictures ended', { cause }));
      this.#waiting.clear();
    });
    return worker;
  }
}

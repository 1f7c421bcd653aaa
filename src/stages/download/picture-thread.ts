import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ConcurrencyLimit } from '../../net/concurrency-limit.ts';
import type { Box } from './blur-boxes.ts';
import type { DownloadOptions } from './options.ts';
import { PictureError } from './picture-error.ts';
import type { Picture } from './process-picture.ts';

export interface ToPictureWorker {
  id: number;
  body: Uint8Array;
  boxes: readonly Box[];
}
export type FromPictureWorker = { id: number } & ({ picture: Picture } | { refused: Pick<PictureError, 'reason' | 'value' | 'threshold'> });

/**
 * `processPicture` in a thread of its own: decoding beside the network. In the network's thread it would hold up all requests in
 * flight for as long as it takes, and servers that are fast would run into the deadline.
 */
export class PictureThread {
  readonly #worker: Worker;
  readonly #limit: ConcurrencyLimit;
  readonly #pending = new Map<number, { resolve: (picture: Picture) => void; reject: (error: Error) => void }>();
  #next = 0;
  #ended: Error | undefined;

  constructor(options: DownloadOptions) {
    this.#limit = new ConcurrencyLimit(options.decodeConcurrency);
    this.#worker = new Worker(new URL(`./picture-worker${extname(import.meta.filename)}`, import.meta.url), { workerData: options });
    this.#worker.unref();
    this.#worker.on('message', (message: FromPictureWorker) => {
      const { resolve, reject } = this.#take(message.id);
      if ('picture' in message) resolve(message.picture);
      else reject(new PictureError(message.refused.reason, message.refused.value, message.refused.threshold));
    });
    this.#worker.on('error', (error: Error) => this.#end(error));
    this.#worker.on('exit', (code) => this.#end(new Error(`the thread that decodes pictures ended with ${code}`)));
  }

  /** The picture of a body, which is the thread's from then on, with the boxes blurred. Throws PictureError. */
  process(body: Buffer, boxes: readonly Box[] = []): Promise<Picture> {
    return this.#limit.run(
      async () =>
        new Promise((resolve, reject) => {
          if (this.#ended) return reject(this.#ended);
          const id = this.#next++;
          // While a picture is awaited the thread keeps the process running.
          if (this.#pending.size === 0) this.#worker.ref();
          this.#pending.set(id, { resolve, reject });
          // A body that is all of its memory is handed over, one that is a part of some is copied.
          const whole = body.byteLength === body.buffer.byteLength;
          this.#worker.postMessage({ id, body, boxes } satisfies ToPictureWorker, whole ? [body.buffer as ArrayBuffer] : []);
        }),
    );
  }

  /** Ends the thread when it has done what it was given. */
  async close(): Promise<void> {
    if (this.#ended) return;
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.ref();
    this.#worker.postMessage('close');
    await ended;
  }

  #take(id: number): { resolve: (picture: Picture) => void; reject: (error: Error) => void } {
    const pending = this.#pending.get(id)!;
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker.unref();
    return pending;
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }
}

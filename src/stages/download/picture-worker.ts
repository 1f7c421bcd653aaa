import { parentPort, workerData } from 'node:worker_threads';
import sharp from 'sharp';
import type { DownloadOptions } from './options.ts';
import type { FromPictureWorker, ToPictureWorker } from './picture-thread.ts';
import { PictureError } from './picture-error.ts';
import { processPicture } from './process-picture.ts';

/** The thread of PictureThread. */

const options = workerData as DownloadOptions;
// One thread a picture: the pictures run side by side. No cache: no picture comes twice.
sharp.concurrency(1);
sharp.cache(false);

const answer = async ({ id, body, boxes }: ToPictureWorker): Promise<FromPictureWorker> => {
  try {
    return { id, picture: await processPicture(body, options, boxes) };
  } catch (error) {
    if (!(error instanceof PictureError)) throw error;
    return { id, refused: { reason: error.reason, value: error.value, threshold: error.threshold } };
  }
};

parentPort!.on('message', (message: ToPictureWorker | 'close') => {
  if (message === 'close') parentPort!.close();
  else
    void answer(message).then((reply) => {
      parentPort!.postMessage(reply);
      // Freed now, not when the garbage collector comes to it: bodies are what fills the memory.
      if (message.body.buffer instanceof ArrayBuffer) message.body.buffer.transfer(0);
    });
});

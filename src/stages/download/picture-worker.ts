import { parentPort, workerData } from 'node:worker_threads';
import sharp from 'sharp';
import { freeBytes } from '../../pictures/free-bytes.ts';
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
      parentPort!.postMessage(reply, 'picture' in reply ? memoryOf(reply.picture.bytes) : []);
      // Where a copy has gone.
      if ('picture' in reply) freeBytes(reply.picture.bytes);
      // Freed now, not when the garbage collector comes to it: bodies are what fills the memory.
      const { buffer } = message.body;
      if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
    });
});

/** What is handed over: memory of which the picture is all. A part of some is copied, and so is libvips' own, which comes as a Buffer. */
function memoryOf(bytes: Uint8Array): ArrayBuffer[] {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && bytes.byteLength === buffer.byteLength && !Buffer.isBuffer(bytes) ? [buffer] : [];
}

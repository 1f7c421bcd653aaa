import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../contracts/errors.ts';
import { type DualEncoder, loadModel } from '../models/load-model.ts';
import { assertQueryPicture } from './assert-query-picture.ts';
import type { FromPictureThread, PictureThreadSettings, ToPictureThread } from './picture-thread.ts';

/** The thread of PictureThread: encodes the pictures that it is sent, one at a time. */

const port = parentPort!;
const { model, settings, maxPixels } = workerData as PictureThreadSettings;
let encoder: Promise<DualEncoder> | undefined;
let before: Promise<void> = Promise.resolve();

port.on('message', (message: ToPictureThread) => {
  before = before.then(() => ('stop' in message ? stop() : answer(message)));
});

async function answer({ id, picture }: { id: number; picture: Uint8Array }): Promise<void> {
  const send = (message: FromPictureThread): void => port.postMessage(message);
  try {
    await assertQueryPicture(picture, maxPixels);
  } catch (error) {
    send({ id, fault: messageOf(error).split('\n')[0]! });
    return;
  }
  try {
    const { encodeImages } = await (encoder ??= loadModel(model, settings));
    const [vector] = await encodeImages([picture]);
    send(vector instanceof Float32Array ? { id, vector } : { id, fault: vector?.message ?? 'it could not be decoded' });
  } catch (error) {
    encoder = undefined;
    send({ id, failure: messageOf(error) });
  }
}

async function stop(): Promise<void> {
  await (await encoder)?.close();
  port.close();
}

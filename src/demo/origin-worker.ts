// The origin's worker thread: starts it, tells who asked for what, and closes it when told.

import { parentPort, workerData } from 'node:worker_threads';
import { startOrigin } from './origin.ts';
import type { OriginMessage, OriginOptions } from './origin.ts';

/** Requests are told in batches: one message each would cost more than answering. */
const tellEvery = 100;

if (parentPort === null) throw new Error('origin-worker runs in a worker thread');
const port = parentPort;
const tell = (message: OriginMessage): void => port.postMessage(message);

let asked: string[] = [];
function flush(): void {
  if (asked.length > 0) tell({ asked });
  asked = [];
}

try {
  const origin = await startOrigin(workerData as OriginOptions, { onRequest: (url) => asked.push(url) });
  const timer = setInterval(flush, tellEvery);
  const close = async (): Promise<void> => {
    clearInterval(timer);
    await origin.close();
    flush();
    port.close();
  };
  port.once('message', () => void close());
  tell({ started: { port: origin.port, hosts: origin.hosts } });
} catch (error) {
  const { message, code } = error as NodeJS.ErrnoException;
  tell({ failed: code === undefined ? { message } : { message, code } });
  port.close();
}

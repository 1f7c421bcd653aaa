import { type MessagePort, parentPort } from 'node:worker_threads';
import { messageOf, RunError } from '../../contracts/errors.ts';
import { calibrated } from './calibration.ts';
import type { FromEncoderThread, SessionSettings, ToEncoderThread } from './encoder-messages.ts';
import { type OnnxSession, openOnnxSession, type Values } from './onnx-session.ts';

/**
 * A thread that holds ONNX sessions for all workers of the process: each file is loaded once, however many workers use it, and
 * one batch is computed at a time, so that several models don't take turns on the same cores. Each worker has a port.
 */

interface Shared {
  session: Promise<OnnxSession>;
  users: number;
}

const sessions = new Map<string, Shared>();
let turn = Promise.resolve();

parentPort!.on('message', ({ connect }: { connect: MessagePort }) => {
  const mine = new Set<string>();
  connect.on('message', (message: ToEncoderThread) => void answer(connect, mine, message));
  connect.on('close', () => mine.forEach(leave));
});

async function answer(port: MessagePort, mine: Set<string>, message: ToEncoderThread): Promise<void> {
  const send = (reply: FromEncoderThread): void => port.postMessage(reply);
  const { id } = message;
  try {
    if ('close' in message) {
      if (mine.delete(message.close)) leave(message.close);
    } else if ('open' in message) {
      const session = await join(message.key, message.open, mine);
      send({ id, opened: { inputs: session.inputs, outputs: session.outputs, pace: session.pace } });
    } else {
      const session = await sessions.get(message.key)!.session;
      // In turn, so that the time is that of this batch.
      await (turn = turn.then(async () => {
        const started = performance.now();
        try {
          const outputs = await session.run(message.feeds);
          send({ id, outputs: copies(outputs), seconds: (performance.now() - started) / 1000 });
        } catch (error) {
          send({ id, failed: messageOf(error), run: error instanceof RunError });
        }
      }));
    }
  } catch (error) {
    send({ id, failed: messageOf(error), run: error instanceof RunError });
  }
}

function join(key: string, settings: SessionSettings, mine: Set<string>): Promise<OnnxSession> {
  let shared = sessions.get(key);
  if (!shared) {
    shared = { session: open(settings), users: 0 };
    sessions.set(key, shared);
    // One that failed is tried again by the next who asks.
    shared.session.catch(() => sessions.delete(key));
  }
  if (!mine.has(key)) {
    mine.add(key);
    shared.users++;
  }
  return shared.session;
}

async function open({ path, device, threads, sessions, calibration }: SessionSettings): Promise<OnnxSession> {
  const pace = await calibrated(path, device, calibration, { threads, sessions });
  return openOnnxSession(path, pace.threads, device, pace);
}

function leave(key: string): void {
  const shared = sessions.get(key);
  if (!shared || --shared.users > 0) return;
  sessions.delete(key);
  void shared.session.then(
    (session) => session.close(),
    () => undefined,
  );
}

/** onnxruntime's memory is its own. */
function copies(outputs: Readonly<Record<string, Values>>): Record<string, Values> {
  return Object.fromEntries(Object.entries(outputs).map(([name, values]) => [name, { ...values, data: values.data.slice() }]));
}

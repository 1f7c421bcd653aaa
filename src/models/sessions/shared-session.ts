import type { MessagePort } from 'node:worker_threads';
import { RunError, ShardError } from '../../contracts/errors.ts';
import type { FromEncoderThread, SessionSettings, ToEncoderThread } from './encoder-messages.ts';
import type { OnnxSession, Values } from './onnx-session.ts';

/** Gives a port to the encoder thread of a number, which is started where there is none. */
export type ConnectEncoder = (number: number) => Promise<MessagePort>;

/** Batches that wait for each session, beside the one that it computes. */
const AHEAD = 1;

/**
 * A session of a file that all workers of the process share: it lives in the encoder threads, one in each of as many as its
 * pace says, and each batch goes to the one with the fewest batches waiting.
 */
export async function openSharedSession(connect: ConnectEncoder, settings: SessionSettings): Promise<OnnxSession & { seconds(): number }> {
  const key = JSON.stringify([settings.path, settings.device, settings.calibration.sides, settings.calibration.fixedRows ?? null]);
  const first = await EncoderPort.open(await connect(0), key, settings);
  const { inputs, outputs, pace } = first.opened;
  const ports = [first];
  const reopen = async (number: number): Promise<EncoderPort> => (ports[number] = await EncoderPort.open(await connect(number), key, { ...settings, ...pace }));
  try {
    for (let number = 1; number < pace.sessions; number++) await reopen(number);
  } catch (error) {
    for (const port of ports) port.close();
    throw error;
  }
  return {
    inputs,
    outputs,
    pace,
    run: async (feeds) => {
      const port = ports.reduce((best, each) => (each.waiting < best.waiting ? each : best));
      // A thread that ended is started again by the next batch: the shard whose batch it lost is tried again.
      return (port.ended ? await reopen(ports.indexOf(port)) : port).run(feeds);
    },
    close: async () => {
      for (const port of ports) port.close();
    },
    seconds: () => ports.reduce((sum, port) => sum + port.seconds, 0),
  };
}

/** Batches that a tower has under way, so that no session waits and memory is bounded. */
export const batchesAhead = ({ pace }: OnnxSession): number => pace.sessions * (1 + AHEAD);

interface Waiting {
  resolve(reply: FromEncoderThread): void;
  reject(error: Error): void;
}

/** One worker's port to one encoder thread, for one session. */
class EncoderPort {
  readonly #port: MessagePort;
  readonly #key: string;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #ended = false;
  opened!: Extract<FromEncoderThread, { opened: unknown }>['opened'];
  /** Time for which the thread has computed for this worker. */
  seconds = 0;

  private constructor(port: MessagePort, key: string) {
    this.#port = port;
    this.#key = key;
    port.on('message', (reply: FromEncoderThread) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ('failed' in reply) waiting?.reject(reply.run ? new RunError(reply.failed) : new Error(reply.failed));
      else waiting?.resolve(reply);
    });
    port.on('close', () => {
      this.#ended = true;
      for (const { reject } of this.#waiting.values()) reject(lost());
      this.#waiting.clear();
    });
    // What waits for an answer keeps the worker alive, an idle port doesn't.
    port.unref();
  }

  static async open(port: MessagePort, key: string, settings: SessionSettings): Promise<EncoderPort> {
    const opening = new EncoderPort(port, key);
    const reply = await opening.#ask({ id: 0, key, open: settings });
    opening.opened = (reply as Extract<FromEncoderThread, { opened: unknown }>).opened;
    return opening;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  async run(feeds: Readonly<Record<string, Values>>): Promise<Readonly<Record<string, Values>>> {
    const reply = (await this.#ask({ id: ++this.#last, key: this.#key, feeds })) as Extract<FromEncoderThread, { outputs: unknown }>;
    this.seconds += reply.seconds;
    return reply.outputs;
  }

  close(): void {
    this.#port.close();
  }

  #ask(message: ToEncoderThread): Promise<FromEncoderThread> {
    if (this.#ended) return Promise.reject(lost());
    return new Promise((resolve, reject) => {
      this.#waiting.set(message.id, { resolve, reject });
      const moved = 'feeds' in message ? [...new Set(Object.values(message.feeds).map(({ data }) => data.buffer as ArrayBuffer))] : [];
      this.#port.ref();
      this.#port.postMessage(message, moved);
    }).finally(() => {
      if (this.#waiting.size === 0) this.#port.unref();
    }) as Promise<FromEncoderThread>;
  }
}

function lost(): Error {
  return new ShardError('the thread that computes the models ended (out of memory, for instance)', { heals: true });
}

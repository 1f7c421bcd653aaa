import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';

/** Gives a port to the thread of a module and a number. */
export type ConnectThread = (module: string, number: number) => Promise<MessagePort>;

/** Threads that all workers of the process share (of models, whose weights are large). They hold no state that outlives the process. */
export class SharedThreads {
  readonly #threads = new Map<string, Worker>();

  /** A new port to the thread, which is started where there is none. It closes when the thread ends. */
  connect(module: string, number: number): MessagePort {
    const key = `${module} ${number}`;
    let thread = this.#threads.get(key);
    if (!thread) {
      thread = new Worker(new URL(module));
      this.#threads.set(key, thread);
      // Whoever has a port sees that it closes; the next who asks starts another.
      thread.on('error', () => undefined);
      thread.on('exit', () => {
        if (this.#threads.get(key) === thread) this.#threads.delete(key);
      });
    }
    const { port1, port2 } = new MessageChannel();
    thread.postMessage({ connect: port1 }, [port1]);
    return port2;
  }

  /** Ends all: what they compute is lost. */
  async close(): Promise<void> {
    await Promise.all([...this.#threads.values()].map((thread) => thread.terminate()));
  }
}

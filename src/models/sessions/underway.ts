/** Work that runs at the same time, so many pieces at most: for memory that does not grow with the input. */
export class Underway {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Starts the work when there is room for it. Throws what a piece before it threw. */
  async start(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running);
    const running = work();
    this.#running.add(running);
    running.then(
      () => this.#running.delete(running),
      // It stays: whoever waits next hears of it.
      () => undefined,
    );
  }

  /** Waits for all of it. */
  async end(): Promise<void> {
    await Promise.all(this.#running);
  }
}

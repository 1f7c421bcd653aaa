/** Lets at most `limit` tasks run at a time; the others wait in order of arrival. */
export class ConcurrencyLimit {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True where nothing runs or waits. */
  get idle(): boolean {
    return this.#running === 0;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await task();
    } finally {
      // The place goes to the next one without becoming free in between, or a newcomer could take it.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

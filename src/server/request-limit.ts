import { HttpError } from './http-error.ts';

/** Requests of a costly kind that may be under way, those that wait among them; beyond that they are refused, to be tried again. */
export class RequestLimit {
  readonly #most: number;
  readonly #what: string;
  #running = 0;

  constructor(most: number, what: string) {
    this.#most = most;
    this.#what = what;
  }

  /** Throws HttpError (503) where too many are under way. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#most) throw new HttpError(503, `${this.#most} ${this.#what} already, which is the limit. Try again in a moment.`);
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
    }
  }
}

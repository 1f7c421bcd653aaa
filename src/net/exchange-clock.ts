import { FetchError } from './fetch-error.ts';

/** How long each part of an exchange may take, ms. */
export interface Deadlines {
  /** For a connection, TLS included, over all addresses. */
  connectMs: number;
  /** From the request to the header of the answer. */
  headerMs: number;
  /** Between two pieces of the body. */
  idleMs: number;
  /** For all together. */
  totalMs: number;
}

/** What a time-out of the whole says; whoever set the deadline says how long it was. */
export const TOTAL = 'no complete answer';

/** Ends an exchange that takes too long in one of its parts, or in all. */
export class ExchangeClock {
  readonly #deadlines: Deadlines;
  readonly #fail: (error: FetchError) => void;
  readonly #total: NodeJS.Timeout;
  #part: NodeJS.Timeout | undefined;
  #receiving = false;

  constructor(deadlines: Deadlines, fail: (error: FetchError) => void) {
    this.#deadlines = deadlines;
    this.#fail = fail;
    this.#total = setTimeout(() => fail(new FetchError('timeout', TOTAL)), Math.max(deadlines.totalMs, 0));
    this.#start('no connection', deadlines.connectMs);
  }

  connected(): void {
    if (!this.#receiving) this.#start('no answer', this.#deadlines.headerMs);
  }

  /** The header, or a piece of the body, is there. */
  receives(): void {
    if (this.#receiving) this.#part?.refresh();
    else this.#start('the answer stalls', this.#deadlines.idleMs);
    this.#receiving = true;
  }

  stop(): void {
    clearTimeout(this.#total);
    clearTimeout(this.#part);
  }

  #start(value: string, ms: number): void {
    clearTimeout(this.#part);
    this.#part = undefined;
    if (ms < this.#deadlines.totalMs) this.#part = setTimeout(() => this.#fail(new FetchError('timeout', value, { threshold: `${ms / 1000} s` })), ms);
  }
}

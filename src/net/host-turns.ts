import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { FetchError } from './fetch-error.ts';
import type { Exchange } from './http-exchange.ts';
import { LONGEST_WAIT_SECONDS } from './retry.ts';
import { statusError } from './status-error.ts';

export interface HostTurnsOptions {
  /** Requests to one host at a time. */
  concurrency: number;
  /** Least time between the starts of two requests to one host, ms. */
  intervalMs: number;
  /** ms; tests inject their own. */
  now?: () => number;
}

/** Requests in a row that get no answer, retries included, after which a host counts as dead: as many as are under way together by default. */
const DEAD_AFTER = 8;
/** Pauses that a host asks for, one right after another, that are waited for. */
const PAUSES = 3;
/** How long a dead host is left alone, at first; each time twice as long. */
const FIRST_REST_MS = 60_000;
const LONGEST_REST_MS = 15 * 60_000;
/** Hosts of which something is remembered, at most. */
const MAX_HOSTS = 100_000;

/**
 * The turns of requests at each host: few at a time, with an interval between their starts. A host that asks for a pause
 * (Retry-After) gets it. One that does not answer, or asks for a longer pause than is waited for, is left alone for a while: its
 * requests fail at once, under the reason of those before, so that thousands of links of a dead host do not each cost a deadline.
 */
export class HostTurns {
  readonly #options: HostTurnsOptions;
  readonly #now: () => number;
  readonly #hosts = new Map<string, Host>();
  readonly #closed = new AbortController();

  constructor(options: HostTurnsOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    // Every request that waits for its turn listens.
    setMaxListeners(0, this.#closed.signal);
  }

  /** Runs `exchange` when it is its turn. Throws FetchError, its own or that of a host that is left alone. */
  async run(name: string, exchange: () => Promise<Exchange>): Promise<Exchange> {
    const host = this.#host(name);
    try {
      return await host.limit.run(async () => {
        await this.#wait(host);
        const started = this.#now();
        try {
          const answer = await exchange();
          host.answered(answer, started, this.#now());
          return answer;
        } catch (error) {
          if (error instanceof FetchError) host.failed(error, this.#now());
          throw error;
        }
      });
    } finally {
      if (host.limit.idle && host.isForgettable(this.#now())) this.#hosts.delete(name);
    }
  }

  /** Refuses what waits for its turn. */
  close(): void {
    this.#closed.abort();
  }

  async #wait(host: Host): Promise<void> {
    for (;;) {
      if (this.#closed.signal.aborted) throw new FetchError('connection-failed', 'the client is closed', { heals: false });
      const now = this.#now();
      if (host.restsUntil > now) throw host.whyItRests!;
      const until = Math.max(host.nextStart, host.pausedUntil);
      if (until <= now) break;
      await sleep(until - now, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    }
    host.nextStart = this.#now() + this.#options.intervalMs;
  }

  #host(name: string): Host {
    let host = this.#hosts.get(name);
    if (host) return host;
    if (this.#hosts.size >= MAX_HOSTS) for (const [each, { limit }] of this.#hosts) if (limit.idle && this.#hosts.delete(each)) break;
    this.#hosts.set(name, (host = new Host(this.#options.concurrency)));
    return host;
  }
}

/** What is known of one host. Times are those of `now`. */
class Host {
  readonly limit: ConcurrencyLimit;
  nextStart = 0;
  /** Until then its requests wait. */
  pausedUntil = 0;
  /** Until then they fail. */
  restsUntil = 0;
  whyItRests: FetchError | undefined;
  #unanswered = 0;
  #pauses = 0;
  #rests = 0;

  constructor(concurrency: number) {
    this.limit = new ConcurrencyLimit(concurrency);
  }

  answered(answer: Exchange, started: number, now: number): void {
    if (this.#unanswered >= DEAD_AFTER) this.restsUntil = 0;
    this.#unanswered = 0;
    const error = statusError(answer);
    if (error?.retryAfter === undefined || (answer.status !== 429 && answer.status !== 503)) {
      if (error?.heals !== true) [this.#pauses, this.#rests] = [0, 0];
      return;
    }
    const until = now + error.retryAfter * 1000;
    if (error.retryAfter > LONGEST_WAIT_SECONDS) return this.#rest(until, error);
    // Of requests that were under way together, one pause counts.
    if (started >= this.pausedUntil) this.#pauses++;
    if (this.#pauses > PAUSES) this.#restLonger(error, now);
    else this.pausedUntil = Math.max(this.pausedUntil, until);
  }

  failed(error: FetchError, now: number): void {
    if (error.reason !== 'timeout' && error.reason !== 'connection-failed') return;
    this.#unanswered++;
    if (this.#unanswered >= DEAD_AFTER && this.restsUntil <= now) this.#restLonger(error, now);
  }

  isForgettable(now: number): boolean {
    return this.#unanswered + this.#pauses + this.#rests === 0 && Math.max(this.nextStart, this.pausedUntil, this.restsUntil) <= now;
  }

  #restLonger(error: FetchError, now: number): void {
    this.#rest(now + Math.min(FIRST_REST_MS * 2 ** this.#rests, LONGEST_REST_MS), error);
    this.#rests++;
  }

  #rest(until: number, error: FetchError): void {
    this.restsUntil = Math.max(this.restsUntil, until);
    const value = this.#unanswered >= DEAD_AFTER ? `${error.value} (${this.#unanswered} requests in a row)` : error.value;
    this.whyItRests = new FetchError(error.reason, value, { threshold: error.threshold, heals: false });
  }
}

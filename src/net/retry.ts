import { setTimeout as sleep } from 'node:timers/promises';
import { FetchError } from './fetch-error.ts';

/** A server that asks for a longer pause is not waited for: the URL keeps its reason, and `--retry-failed` takes it up another time. */
export const LONGEST_WAIT_SECONDS = 60;
const FIRST_WAIT_SECONDS = 1;

/**
 * Runs `attempt` up to `retries` times again where the error may heal, after 1, 2, 4 … seconds or what Retry-After asks for. When
 * the signal aborts, nothing is waited for any longer, also not an answer: closing the client ends its connection.
 */
export async function withRetries<T>(attempt: () => Promise<T>, retries: number, signal: AbortSignal | undefined): Promise<T> {
  for (let done = 0; ; done++) {
    try {
      return await unlessAborted(attempt(), signal);
    } catch (error) {
      if (!(error instanceof FetchError) || !error.heals || done >= retries) throw error;
      const asked = error.retryAfter ?? 0;
      if (asked > LONGEST_WAIT_SECONDS) throw error;
      const seconds = Math.min(Math.max(asked, FIRST_WAIT_SECONDS * 2 ** done), LONGEST_WAIT_SECONDS);
      await sleep(seconds * 1000, undefined, { ...(signal && { signal }) });
    }
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => (abort = () => reject(signal.reason as Error)));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

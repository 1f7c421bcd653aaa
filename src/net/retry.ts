import { setTimeout as sleep } from 'node:timers/promises';
import type { DropReason } from '../contracts/drop-reason.ts';
import { FetchError } from './fetch-error.ts';

/** What may go better a moment later. A refusal, a 404 or a broken picture will not. */
const WORTH_A_RETRY: ReadonlySet<DropReason<'download'>> = new Set([
  'dns-failed',
  'connection-failed',
  'timeout',
  'http-server-error',
  'http-too-many-requests',
]);

const FIRST_WAIT_SECONDS = 1;
const LONGEST_WAIT_SECONDS = 60;

/**
 * Runs `attempt` up to `retries` times again, after 1, 2, 4 … seconds or what Retry-After asks for (60 s at most). When the signal
 * aborts, nothing is waited for any longer, also not an answer: closing the client ends its connection.
 */
export async function withRetries<T>(attempt: () => Promise<T>, retries: number, signal: AbortSignal): Promise<T> {
  for (let done = 0; ; done++) {
    try {
      return await unlessAborted(attempt(), signal);
    } catch (error) {
      if (!(error instanceof FetchError) || done >= retries || !WORTH_A_RETRY.has(error.reason)) throw error;
      const seconds = Math.min(Math.max(error.retryAfter ?? 0, FIRST_WAIT_SECONDS * 2 ** done), LONGEST_WAIT_SECONDS);
      await sleep(seconds * 1000, undefined, { signal });
    }
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => (abort = () => reject(signal.reason as Error)));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

import type { DropReason } from '../contracts/drop-reason.ts';
import { FetchError } from './fetch-error.ts';
import type { Exchange } from './http-exchange.ts';

/** The error for an answer that is not 2xx, with the pause that the server asks for. Undefined for 2xx. */
export function statusError({ status, headers }: Pick<Exchange, 'status' | 'headers'>): FetchError | undefined {
  if (status >= 200 && status <= 299) return undefined;
  const retryAfter = retryAfterSeconds(headers['retry-after']?.[0]);
  return new FetchError(reasonOfStatus(status), String(status), {
    ...(retryAfter !== undefined && { retryAfter, threshold: `Retry-After ${Math.ceil(retryAfter)} s` }),
    // 501 Not Implemented and 505 HTTP Version Not Supported.
    ...((status === 501 || status === 505) && { heals: false }),
  });
}

/** The reason for a final status that is not 2xx. */
export function reasonOfStatus(status: number): DropReason<'download'> {
  if (status === 404 || status === 410) return 'http-not-found';
  if (status === 401 || status === 403 || status === 451) return 'http-forbidden';
  if (status === 429) return 'http-too-many-requests';
  if (status >= 500 && status <= 599) return 'http-server-error';
  return 'http-error';
}

/** Retry-After in seconds; a date counts from now. */
function retryAfterSeconds(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

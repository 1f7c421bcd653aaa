import type { DropReason } from '../contracts/drop-reason.ts';

/** What may go better a moment later, unless the error says otherwise. A refusal, a 404 or a broken picture will not. */
export const MAY_HEAL: ReadonlySet<DropReason<'download'>> = new Set([
  'dns-failed',
  'connection-failed',
  'timeout',
  'http-too-many-requests',
  'http-server-error',
]);

/** Why a URL was not fetched. It costs that item; `reason` is of the closed list, the rest says what was measured. */
export class FetchError extends Error {
  readonly reason: DropReason<'download'>;
  /** What was found: a status, an address, a size. */
  readonly value: string;
  /** What it was compared with, where there is such a thing. */
  readonly threshold: string | null;
  /** Seconds that the server asks us to wait (Retry-After). */
  readonly retryAfter: number | undefined;
  /** Whether the same request may go better a moment later. */
  readonly heals: boolean;

  constructor(
    reason: DropReason<'download'>,
    value: string,
    { threshold = null, retryAfter, heals, cause }: { threshold?: string | null; retryAfter?: number | undefined; heals?: boolean; cause?: unknown } = {},
  ) {
    super(`${reason}: ${value}`, { cause });
    this.name = 'FetchError';
    this.reason = reason;
    this.value = value;
    this.threshold = threshold;
    this.retryAfter = retryAfter;
    this.heals = heals ?? MAY_HEAL.has(reason);
  }
}

import type { DropReason } from '../contracts/drop-reason.ts';

/** Why a URL was not fetched. It costs that item; `reason` is of the closed list, the rest says what was measured. */
export class FetchError extends Error {
  readonly reason: DropReason<'download'>;
  /** What was found: a status, an address, a size. */
  readonly value: string;
  /** What it was compared with, where there is such a thing. */
  readonly threshold: string | null;
  /** Seconds that the server asks us to wait (Retry-After). */
  readonly retryAfter: number | undefined;

  constructor(
    reason: DropReason<'download'>,
    value: string,
    { threshold = null, retryAfter, cause }: { threshold?: string | null; retryAfter?: number | undefined; cause?: unknown } = {},
  ) {
    super(`${reason}: ${value}`, { cause });
    this.name = 'FetchError';
    this.reason = reason;
    this.value = value;
    this.threshold = threshold;
    this.retryAfter = retryAfter;
  }
}

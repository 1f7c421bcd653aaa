import type { DropReason } from '../../contracts/drop-reason.ts';

/** Why a body is not packed. */
export class PictureError extends Error {
  readonly reason: DropReason<'download'>;
  readonly value: string;
  readonly threshold: string | null;

  constructor(reason: DropReason<'download'>, value: string | number, threshold: string | number | null = null) {
    super(`${reason}: ${value}`);
    this.reason = reason;
    this.value = String(value);
    this.threshold = threshold === null ? null : String(threshold);
  }
}

import type { DropReason } from '../contracts/drop-reason.ts';

/** The reason for a final status that is not 2xx. */
export function reasonOfStatus(status: number): DropReason<'download'> {
  if (status === 404 || status === 410) return 'http-not-found';
  if (status === 401 || status === 403 || status === 451) return 'http-forbidden';
  if (status === 429) return 'http-too-many-requests';
  if (status >= 500 && status <= 599) return 'http-server-error';
  return 'http-error';
}

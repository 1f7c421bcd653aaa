import { STATUS_CODES } from 'node:http';
import type { DropReason } from '../../contracts/drop-reason.ts';
import type { Sample } from '../../contracts/records.ts';
import { reasonOfStatus } from '../../net/status-error.ts';

interface Img2datasetStatus {
  status: Exclude<Sample['status'], 'success'>;
  /** `{status}` is that of HTTP, in urllib's form: `404: Not Found`. */
  message: string;
}

const notDownloaded = (message: string): Img2datasetStatus => ({ status: 'failed_to_download', message });
const notResized = (message: string): Img2datasetStatus => ({ status: 'failed_to_resize', message });

/**
 * img2dataset's `status` and `error_message` for each drop reason. Its own strings where it has one for the case
 * (downloader.py, resizer.py; `HTTP Error …` is urllib's), so that scripts that look for them go on working.
 */
const statuses: Readonly<Record<DropReason<'download'>, Img2datasetStatus>> = {
  duplicate: notDownloaded('duplicate of a sample before it'),
  'url-invalid': notDownloaded('invalid URL'),
  'private-address': notDownloaded('private address'),
  'robots-txt': notDownloaded('Use of image disallowed by robots.txt'),
  'x-robots-tag': notDownloaded('Use of image disallowed by X-Robots-Tag directive'),
  'tdm-reservation': notDownloaded('Use of image disallowed by tdm-reservation'),
  'dns-failed': notDownloaded('<urlopen error [Errno -2] Name or service not known>'),
  'connection-failed': notDownloaded('connection failed'),
  timeout: notDownloaded('timed out'),
  'redirect-loop': notDownloaded('too many redirects'),
  'http-not-found': notDownloaded('HTTP Error {status}'),
  'http-forbidden': notDownloaded('HTTP Error {status}'),
  'http-too-many-requests': notDownloaded('HTTP Error {status}'),
  'http-server-error': notDownloaded('HTTP Error {status}'),
  'http-error': notDownloaded('HTTP Error {status}'),
  'body-too-large': notDownloaded('body too large'),
  'blocklisted-url': notDownloaded('blocklisted'),
  'blocklisted-file': notDownloaded('blocklisted'),
  'blocklisted-picture': notDownloaded('blocklisted'),
  'unreadable-boxes': notDownloaded('unreadable boxes'),
  'hash-mismatch': notDownloaded('hash mismatch'),
  'too-few-bytes': notResized('too few bytes'),
  'not-an-image': notResized('Image decoding error'),
  'too-many-pixels': notResized('too many pixels'),
  'decode-failed': notResized('Image decoding error'),
  'image-too-small': notResized('image too small'),
  'image-too-large': notResized('image area too large'),
  'aspect-ratio': notResized('aspect ratio too large'),
};

export function sampleStatus(reason: DropReason<'download'>, value: string): { status: Img2datasetStatus['status']; error_message: string } {
  const { status, message } = statuses[reason];
  return { status, error_message: message.replace('{status}', `${value}: ${STATUS_CODES[value] ?? ''}`) };
}

/** The reasons that a row's `error_message` may stand for: img2dataset has one message for several. */
export function reasonsOfStatus(errorMessage: string): DropReason<'download'>[] {
  const status = /^HTTP Error (\d+)/.exec(errorMessage)?.[1];
  if (status !== undefined) return [reasonOfStatus(Number(status))];
  return reasons.filter((reason) => statuses[reason].message === errorMessage);
}

/** The reasons, and those that rows can't tell from them. */
export function withSameStatus(wanted: readonly string[]): string[] {
  const isSame = (a: DropReason<'download'>, b: string): boolean =>
    a === b || (isReason(b) && !/\{\w+\}/.test(statuses[a].message) && statuses[a].message === statuses[b].message);
  return reasons.filter((reason) => wanted.some((each) => isSame(reason, each)));
}

const reasons = Object.keys(statuses) as DropReason<'download'>[];

function isReason(name: string): name is DropReason<'download'> {
  return Object.hasOwn(statuses, name);
}

import { hash } from 'node:crypto';
import type { DropReason } from '../../contracts/drop-reason.ts';
import { FetchError } from '../../net/fetch-error.ts';
import type { PoliteClient } from '../../net/polite-client.ts';
import type { DownloadOptions } from './options.ts';
import type { PictureThread } from './picture-thread.ts';
import { PictureError } from './picture-error.ts';
import type { Picture } from './process-picture.ts';
import type { DownloadLink } from './read-links.ts';

/** What became of one link. */
export type SampleOutcome = { picture: Picture; sha256: string | null } | { reason: DropReason<'download'>; value: string; threshold: string | null };

export interface SampleFetcher {
  client: PoliteClient;
  pictures: PictureThread;
  options: DownloadOptions;
  signal: AbortSignal;
}

/** Downloads one link and makes its picture. A broken one costs itself; only what is no fault of the link throws. */
export async function fetchSample(
  link: Pick<DownloadLink, 'url' | 'expectedSha256'>,
  { client, pictures, options, signal }: SampleFetcher,
): Promise<SampleOutcome> {
  signal.throwIfAborted();
  try {
    const { body } = await client.get(link.url, { retries: options.retries, signal });
    const computed = options.computeHash === 'sha256' || link.expectedSha256 !== undefined ? hash('sha256', body) : null;
    if (link.expectedSha256 !== undefined && computed !== link.expectedSha256)
      return { reason: 'hash-mismatch', value: computed!, threshold: link.expectedSha256 };
    const picture = await pictures.process(body);
    return { picture, sha256: options.computeHash === 'sha256' ? computed : null };
  } catch (error) {
    if (!(error instanceof FetchError || error instanceof PictureError)) throw error;
    return { reason: error.reason, value: error.value, threshold: error.threshold };
  }
}

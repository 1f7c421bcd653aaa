import { hash } from 'node:crypto';
import type { DropReason } from '../../contracts/drop-reason.ts';
import { FetchError } from '../../net/fetch-error.ts';
import type { PoliteClient } from '../../net/polite-client.ts';
import type { Blocklist } from '../../sources/blocklist.ts';
import type { DownloadOptions } from './options.ts';
import type { PictureThread } from './picture-thread.ts';
import { PictureError } from './picture-error.ts';
import type { Picture } from './process-picture.ts';
import type { DownloadLink } from './read-links.ts';

/** What became of one link. */
export type SampleOutcome = { picture: Picture; hash: string | null } | { reason: DropReason<'download'>; value: string; threshold: string | null };

export interface SampleFetcher {
  client: PoliteClient;
  pictures: PictureThread;
  options: DownloadOptions;
  blocklist: Blocklist | undefined;
  signal: AbortSignal;
}

/** Downloads one link and makes its picture. A broken one costs itself; only what is no fault of the link throws. */
export async function fetchSample(
  { url, expectedHash, boxes }: Pick<DownloadLink, 'url' | 'expectedHash' | 'boxes'>,
  { client, pictures, options, blocklist, signal }: SampleFetcher,
): Promise<SampleOutcome> {
  signal.throwIfAborted();
  // Before a request is made: what should have been blurred and was not is worse than what is missing.
  if (boxes === 'unreadable') return { reason: 'unreadable-boxes', value: options.bboxCol!, threshold: null };
  if (blocklist?.hasUrl(url)) return { reason: 'blocklisted-url', value: 'url', threshold: null };
  const { computeHash } = options;
  try {
    const { body } = await client.get(url, { retries: options.retries, signal });
    // Before the picture's thread takes the body.
    const computed = computeHash === 'none' ? null : hash(computeHash, body);
    if (expectedHash) {
      const { type, hex } = expectedHash;
      const found = type === computeHash ? computed! : hash(type, body);
      if (found !== hex) return { reason: 'hash-mismatch', value: found, threshold: hex };
    }
    const blocked = blocklist?.kindOfFile((kind) => (kind === computeHash ? computed! : hash(kind, body, 'buffer')));
    if (blocked) return { reason: 'blocklisted-file', value: blocked, threshold: null };
    const picture = await pictures.process(body, boxes);
    const bits = picture.phash === null ? undefined : blocklist?.bitsFromLook(picture.phash);
    if (bits !== undefined) return { reason: 'blocklisted-picture', value: String(bits), threshold: String(options.blocklistDistance) };
    return { picture, hash: computed };
  } catch (error) {
    if (!(error instanceof FetchError || error instanceof PictureError)) throw error;
    return { reason: error.reason, value: error.value, threshold: error.threshold };
  }
}

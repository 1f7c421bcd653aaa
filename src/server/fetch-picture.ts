import type { ConnectTo } from '../net/connect-to.ts';
import { FetchError } from '../net/fetch-error.ts';
import { PoliteClient } from '../net/polite-client.ts';
import { ROBOTS_TOKEN, userAgent } from '../net/user-agent.ts';
import { HttpError } from './http-error.ts';
import { RequestLimit } from './request-limit.ts';

const MAX_BYTES = 32 * 1024 * 1024;
const DEADLINES = { connectMs: 5_000, headerMs: 10_000, idleMs: 5_000, totalMs: 10_000 };
const MAX_REDIRECTS = 5;
const MAX_FETCHES = 8;

/** Fetches pictures that a request names by their URL. */
export interface PictureFetcher {
  /** Throws HttpError where it can't be had. */
  fetch(url: string): Promise<Uint8Array>;
  close(): void;
}

/** By the client of `download`: public addresses only, robots.txt obeyed, within a deadline and a limit of bytes. */
export function pictureFetcher(connectTo: readonly ConnectTo[] = []): PictureFetcher {
  const limit = new RequestLimit(MAX_FETCHES, 'pictures are being fetched');
  const client = new PoliteClient({
    userAgent: userAgent(undefined),
    robotsToken: ROBOTS_TOKEN,
    deadlines: DEADLINES,
    maxBytes: MAX_BYTES,
    maxRedirects: MAX_REDIRECTS,
    hostConcurrency: 2,
    hostIntervalMs: 0,
    connectTo,
    obeyRobots: true,
    disallowedDirectives: [],
    obeyTdmReservation: false,
    ignoreCertificates: false,
    accept: 'image/jpeg, image/png, image/webp, */*;q=0.1',
  });
  return {
    fetch: (url) =>
      limit.run(async () => {
        try {
          return (await client.get(url)).body;
        } catch (error) {
          if (!(error instanceof FetchError)) throw error;
          throw new HttpError(400, `image_url could not be fetched (${error.reason}: ${error.value}). Send the picture itself as image (base64).`);
        }
      }),
    close: () => client.close(),
  };
}

import robotsParser from 'robots-parser';
import { ExpiringCache } from './expiring-cache.ts';
import { FetchError } from './fetch-error.ts';

/** What a robots.txt answers with, after its redirects. */
export interface RobotsAnswer {
  status: number;
  body: Uint8Array;
}

/** RFC 9309 asks for at least 500 KiB to be parsed; the rest is cut off. */
export const MAX_ROBOTS_BYTES = 512 * 1024;
const MAX_HOSTS = 20_000;
const HOUR_MS = 3_600_000;
/** RFC 9309: not longer than a day. */
const HOLDS_MS = 24 * HOUR_MS;
const FAILING_HOLDS_MS = HOUR_MS / 4;

// Its declarations say that the module is an object with a default; it is the function.
const parseRobots = robotsParser as unknown as typeof robotsParser.default;

type Rules = { isAllowed(url: string): boolean; refusal: FetchError };

/** robots.txt of each origin (RFC 9309), fetched once and kept for a day. */
export class RobotsCache {
  readonly #cache: ExpiringCache<Rules>;
  readonly #fetch: (url: URL) => Promise<RobotsAnswer>;
  readonly #token: string;

  /** `fetch` follows redirects and throws FetchError where nothing answers. `token` is our product token. */
  constructor(fetch: (url: URL) => Promise<RobotsAnswer>, token: string, now?: () => number) {
    this.#fetch = fetch;
    this.#token = token;
    this.#cache = new ExpiringCache(MAX_HOSTS, now);
  }

  /**
   * Throws FetchError `robots-txt` where the rules disallow the URL or the server can't say (5xx), and the fetch's own
   * reason where the host can't be reached at all: then the picture could not be fetched either.
   */
  async check(url: URL): Promise<void> {
    const rules = await this.#cache.get(url.origin, () => this.#read(new URL('/robots.txt', url)));
    if (!rules.isAllowed(url.href)) throw rules.refusal;
  }

  async #read(url: URL): Promise<{ value: Rules; holdsMs: number }> {
    // What fails is not kept: the host may answer the next time, and the client leaves a dead one alone.
    const answer = await this.#fetch(url);
    const { status } = answer;
    if (status >= 500)
      return { value: { isAllowed: () => false, refusal: new FetchError('robots-txt', `robots.txt answers HTTP ${status}`) }, holdsMs: FAILING_HOLDS_MS };
    // 4xx, and anything else that is no robots.txt: no rules, so everything is allowed.
    if (status < 200 || status > 299) return { value: { isAllowed: () => true, refusal: new FetchError('robots-txt', '') }, holdsMs: HOLDS_MS };
    const robots = parseRobots(url.href, withoutMark(new TextDecoder().decode(answer.body)));
    const refusal = new FetchError('robots-txt', url.href);
    return { value: { isAllowed: (each) => robots.isAllowed(each, this.#token) !== false, refusal }, holdsMs: HOLDS_MS };
  }
}

/** TextDecoder drops one byte order mark; files that were saved twice have two. */
function withoutMark(text: string): string {
  return text.replace(/^\uFEFF+/, '');
}

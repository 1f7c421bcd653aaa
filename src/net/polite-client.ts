import type { AllowedAddresses } from './allowed-addresses.ts';
import { chooseAddresses } from './choose-address.ts';
import type { ConnectTo } from './connect-to.ts';
import { type AddressResolver, DnsCache } from './dns-cache.ts';
import { type Deadlines, TOTAL } from './exchange-clock.ts';
import { FetchError } from './fetch-error.ts';
import { HostTurns } from './host-turns.ts';
import { type Connect, type Exchange, HttpExchanger } from './http-exchange.ts';
import { withRetries } from './retry.ts';
import { MAX_ROBOTS_BYTES, type RobotsAnswer, RobotsCache } from './robots-cache.ts';
import { statusError } from './status-error.ts';
import { disallowedDirective } from '../formats/x-robots-tag.ts';

export interface PoliteClientOptions {
  /** Sent as User-Agent. */
  userAgent: string;
  /** Our name in robots.txt and X-Robots-Tag, lower case. */
  robotsToken: string;
  /** `totalMs`: for connecting, redirects and body together; waiting for a turn at a host does not count. */
  deadlines: Deadlines;
  maxBytes: number;
  maxRedirects: number;
  /** Requests to one host at a time. */
  hostConcurrency: number;
  /** Least time between the starts of two requests to one host, ms. */
  hostIntervalMs: number;
  connectTo: readonly ConnectTo[];
  /** Private addresses that requests may go to all the same; none where it is absent. */
  allowedAddresses?: AllowedAddresses;
  obeyRobots: boolean;
  /** X-Robots-Tag directives that refuse a picture; none: the header is not looked at. */
  disallowedDirectives: readonly string[];
  obeyTdmReservation: boolean;
  ignoreCertificates: boolean;
  accept: string;
}

/** What the client asks of the network; tests inject their own. */
export interface NetworkPorts {
  resolver?: AddressResolver | undefined;
  hosts?: ReadonlyMap<string, string[]> | undefined;
  connect?: Connect | undefined;
}

export interface Fetched {
  body: Buffer;
  /** Of the last answer, after redirects. */
  url: string;
}

export interface GetOptions {
  /** Further requests that this URL may cost, over all its redirects, where one fails in a way that may heal. */
  retries?: number;
  /** Aborted: the wait for the answer ends. */
  signal?: AbortSignal;
}

/** How far a URL was followed: a retry goes on from there, so that its redirects are not asked for again. */
interface Position {
  url: URL;
  redirects: number;
}

/** RFC 9309: at least five. */
const MAX_ROBOTS_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * Fetches untrusted URLs from servers that owe us nothing: only public addresses, few requests a host at a time,
 * robots.txt and opt-out headers obeyed, redirects checked like the first URL, a deadline and a byte cap for all.
 */
export class PoliteClient {
  readonly #options: PoliteClientOptions;
  readonly #dns: DnsCache;
  readonly #exchanger: HttpExchanger;
  readonly #robots: RobotsCache;
  readonly #hosts: HostTurns;
  readonly #disallowed: ReadonlySet<string>;

  constructor(options: PoliteClientOptions, ports: NetworkPorts = {}) {
    this.#options = options;
    this.#dns = new DnsCache(ports);
    this.#exchanger = new HttpExchanger({ ignoreCertificates: options.ignoreCertificates, connect: ports.connect });
    this.#robots = new RobotsCache((url) => this.#fetchRobots(url), options.robotsToken);
    this.#hosts = new HostTurns({ concurrency: options.hostConcurrency, intervalMs: options.hostIntervalMs });
    this.#disallowed = new Set(options.disallowedDirectives.map((each) => each.toLowerCase()));
  }

  /** The body of a 2xx answer. Throws FetchError with the reason for everything else. */
  async get(url: string, { retries = 0, signal }: GetOptions = {}): Promise<Fetched> {
    const position = { url: parseHttpUrl(url), redirects: 0 };
    return withRetries(async () => this.#getOnce(position), retries, signal);
  }

  /** Ends what is in flight, and refuses what waits for its turn. */
  close(): void {
    this.#hosts.close();
    this.#exchanger.close();
  }

  async #getOnce(position: Position): Promise<Fetched> {
    const { maxBytes, maxRedirects, accept, robotsToken, obeyRobots, obeyTdmReservation } = this.#options;
    const exchange = await this.#follow(position, { maxBytes, maxRedirects, accept, checkRobots: obeyRobots });
    const error = statusError(exchange);
    if (error) throw error;
    const { headers, body } = exchange;
    const directive = disallowedDirective(headers['x-robots-tag'] ?? [], robotsToken, this.#disallowed);
    if (directive !== undefined) throw new FetchError('x-robots-tag', directive);
    if (obeyTdmReservation && headers['tdm-reservation']?.some((value) => value.trim() === '1')) throw new FetchError('tdm-reservation', '1');
    return { body, url: position.url.href };
  }

  /** The answer at the end of the redirects; `position` moves along with them. */
  async #follow(
    position: Position,
    options: { maxBytes: number; maxRedirects: number; accept: string; checkRobots: boolean; cut?: boolean },
  ): Promise<Exchange> {
    const headers = { 'user-agent': this.#options.userAgent, accept: options.accept, 'accept-encoding': 'identity' };
    const { deadlines } = this.#options;
    let leftMs = deadlines.totalMs;
    for (;;) {
      const { url } = position;
      // The addresses are checked before robots.txt, which would be asked of the same.
      const target = await chooseAddresses(url, this.#dns, this.#options.connectTo, this.#options.allowedAddresses ?? (() => false));
      if (options.checkRobots) await this.#robots.check(url);
      const exchange = await this.#hosts.run(url.hostname, async () => {
        const started = performance.now();
        try {
          return await this.#exchanger.get(url, target, {
            headers,
            deadlines: { ...deadlines, totalMs: leftMs },
            maxBytes: options.maxBytes,
            cut: options.cut,
          });
        } catch (error) {
          // Says the whole deadline, not what earlier hops left of it.
          throw error instanceof FetchError && error.value === TOTAL ? new FetchError('timeout', TOTAL, { threshold: `${deadlines.totalMs / 1000} s` }) : error;
        } finally {
          leftMs -= performance.now() - started;
        }
      });
      const location = exchange.headers.location?.[0];
      if (!REDIRECTS.has(exchange.status) || location === undefined) return exchange;
      if (position.redirects >= options.maxRedirects)
        throw new FetchError('redirect-loop', `${position.redirects + 1} redirects`, { threshold: String(options.maxRedirects) });
      position.url = parseHttpUrl(location, url);
      position.redirects++;
    }
  }

  async #fetchRobots(url: URL): Promise<RobotsAnswer> {
    try {
      const exchange = await this.#follow(
        { url, redirects: 0 },
        {
          maxBytes: MAX_ROBOTS_BYTES,
          maxRedirects: MAX_ROBOTS_REDIRECTS,
          accept: 'text/plain, */*;q=0.1',
          checkRobots: false,
          cut: true,
        },
      );
      return { status: exchange.status, body: exchange.body };
    } catch (error) {
      // RFC 9309: after five redirects the file counts as one that is not there.
      if (error instanceof FetchError && error.reason === 'redirect-loop') return { status: 404, body: new Uint8Array() };
      throw error;
    }
  }
}

function parseHttpUrl(text: string, base?: URL): URL {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch (cause) {
    throw new FetchError('url-invalid', text, { cause });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new FetchError('url-invalid', url.protocol);
  return url;
}

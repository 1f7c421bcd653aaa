import type { AllowedAddresses } from './allowed-addresses.ts';
import { chooseAddress } from './choose-address.ts';
import { KeyedLimit } from './concurrency-limit.ts';
import type { ConnectTo } from './connect-to.ts';
import { type AddressResolver, DnsCache } from './dns-cache.ts';
import { FetchError } from './fetch-error.ts';
import { type Connect, type Exchange, HttpExchanger } from './http-exchange.ts';
import { MAX_ROBOTS_BYTES, type RobotsAnswer, RobotsCache } from './robots-cache.ts';
import { reasonOfStatus } from './status-reason.ts';
import { disallowedDirective } from './x-robots-tag.ts';

export interface PoliteClientOptions {
  /** Sent as User-Agent. */
  userAgent: string;
  /** Our name in robots.txt and X-Robots-Tag, lower case. */
  robotsToken: string;
  /** For connecting, redirects and body together; waiting for a turn at a host does not count. ms. */
  timeoutMs: number;
  maxBytes: number;
  maxRedirects: number;
  /** Requests to one host at a time. */
  hostConcurrency: number;
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
  readonly #hosts: KeyedLimit;
  readonly #disallowed: ReadonlySet<string>;
  #closed = false;

  constructor(options: PoliteClientOptions, ports: NetworkPorts = {}) {
    this.#options = options;
    this.#dns = new DnsCache(ports);
    this.#exchanger = new HttpExchanger({ ignoreCertificates: options.ignoreCertificates, connect: ports.connect });
    this.#robots = new RobotsCache((url) => this.#fetchRobots(url), options.robotsToken);
    this.#hosts = new KeyedLimit(options.hostConcurrency);
    this.#disallowed = new Set(options.disallowedDirectives.map((each) => each.toLowerCase()));
  }

  /** The body of a 2xx answer. Throws FetchError with the reason for everything else. */
  async get(url: string): Promise<Fetched> {
    const { timeoutMs, maxBytes, maxRedirects, accept, robotsToken } = this.#options;
    const { exchange, url: last } = await this.#follow(parseHttpUrl(url), {
      budgetMs: timeoutMs,
      maxBytes,
      maxRedirects,
      accept,
      checkRobots: this.#options.obeyRobots,
    });
    const { status, headers, body } = exchange;
    if (status < 200 || status > 299)
      throw new FetchError(reasonOfStatus(status), String(status), { retryAfter: retryAfterSeconds(headers['retry-after']?.[0]) });
    const directive = disallowedDirective(headers['x-robots-tag'] ?? [], robotsToken, this.#disallowed);
    if (directive !== undefined) throw new FetchError('x-robots-tag', directive);
    if (this.#options.obeyTdmReservation && headers['tdm-reservation']?.some((value) => value.trim() === '1')) throw new FetchError('tdm-reservation', '1');
    return { body, url: last.href };
  }

  /** Ends what is in flight, and refuses what waits for its turn. */
  close(): void {
    this.#closed = true;
    this.#exchanger.close();
  }

  async #follow(
    start: URL,
    options: { budgetMs: number; maxBytes: number; maxRedirects: number; accept: string; checkRobots: boolean; cut?: boolean },
  ): Promise<{ exchange: Exchange; url: URL }> {
    const headers = { 'user-agent': this.#options.userAgent, accept: options.accept, 'accept-encoding': 'identity' };
    let url = start;
    let leftMs = options.budgetMs;
    for (let redirects = 0; ; redirects++) {
      // The address is checked before robots.txt, which would be asked of the same address.
      const target = await chooseAddress(url, this.#dns, this.#options.connectTo, this.#options.allowedAddresses ?? (() => false));
      if (options.checkRobots) await this.#robots.check(url);
      const exchange = await this.#hosts.run(url.hostname, async () => {
        if (this.#closed) throw new FetchError('connection-failed', 'the client is closed');
        const started = performance.now();
        try {
          return await this.#exchanger.get(url, target, { headers, deadlineMs: leftMs, maxBytes: options.maxBytes, cut: options.cut });
        } catch (error) {
          // Says the whole deadline, not what earlier hops left of it.
          throw error instanceof FetchError && error.reason === 'timeout'
            ? new FetchError('timeout', 'no complete answer', { threshold: `${options.budgetMs / 1000} s` })
            : error;
        } finally {
          leftMs -= performance.now() - started;
        }
      });
      const location = exchange.headers.location?.[0];
      if (!REDIRECTS.has(exchange.status) || location === undefined) return { exchange, url };
      if (redirects >= options.maxRedirects) throw new FetchError('redirect-loop', `${redirects + 1} redirects`, { threshold: String(options.maxRedirects) });
      url = parseHttpUrl(location, url);
    }
  }

  async #fetchRobots(url: URL): Promise<RobotsAnswer> {
    try {
      const { exchange } = await this.#follow(url, {
        budgetMs: this.#options.timeoutMs,
        maxBytes: MAX_ROBOTS_BYTES,
        maxRedirects: MAX_ROBOTS_REDIRECTS,
        accept: 'text/plain, */*;q=0.1',
        checkRobots: false,
        cut: true,
      });
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

/** Retry-After in seconds; a date counts from now. */
function retryAfterSeconds(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

import { Resolver } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { systemCode } from '../contracts/errors.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { ExpiringCache } from './expiring-cache.ts';
import { FetchError } from './fetch-error.ts';

/** The part of Node's Resolver that is used; tests inject their own. */
export interface AddressResolver {
  resolve4(host: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
  resolve6(host: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
}

/** Queries in flight: more are lost by home routers and rate-limited by public resolvers. */
const CONCURRENCY = 64;
const MAX_HOSTS = 100_000;
const SECOND = 1000;
/** A time to live of 0 would ask again for every picture of a page; one of a week would outlive a move. */
const SHORTEST_MS = 30 * SECOND;
const LONGEST_MS = 3600 * SECOND;
/** How long a name that does not exist is taken not to. */
const ABSENT_MS = 300 * SECOND;
/** A name server that fails may answer the next time; a retry comes after a second at the earliest. */
const FAILED_MS = SECOND / 2;
/** Codes of names that do not exist, or have no address. */
const ABSENT = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

/**
 * Host names to addresses, by c-ares and not by `dns.lookup`, whose four threads are shared with zlib and sharp.
 * Times to live are honoured between half a minute and an hour; failures are remembered too.
 */
export class DnsCache {
  readonly #resolver: AddressResolver;
  readonly #hosts: ReadonlyMap<string, string[]>;
  readonly #cache: ExpiringCache<string[] | FetchError>;
  readonly #limit = new ConcurrencyLimit(CONCURRENCY);

  /** `hosts` are names that are not asked for, by default those of /etc/hosts. `now` in ms. */
  constructor({
    resolver,
    hosts,
    now,
  }: { resolver?: AddressResolver | undefined; hosts?: ReadonlyMap<string, string[]> | undefined; now?: () => number } = {}) {
    // 2 s, then 4 s: a dead name server costs 6 s and not c-ares's 75 s.
    this.#resolver = resolver ?? new Resolver({ timeout: 2 * SECOND, tries: 2 });
    this.#hosts = hosts ?? readHostsFile();
    this.#cache = new ExpiringCache(MAX_HOSTS, now);
  }

  /** All addresses of a name, IPv4 first. Throws FetchError `dns-failed`. */
  async resolve(host: string): Promise<string[]> {
    // A name with a dot at its end is the same name.
    const name = host.toLowerCase().replace(/\.$/, '');
    // RFC 6761: never asked for on the network.
    if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1', '::1'];
    const fixed = this.#hosts.get(name);
    if (fixed) return fixed;
    const found = await this.#cache.get(name, () => this.#limit.run(() => this.#ask(name)));
    if (found instanceof FetchError) throw found;
    return found;
  }

  async #ask(name: string): Promise<{ value: string[] | FetchError; holdsMs: number }> {
    const answers = await Promise.allSettled([this.#resolver.resolve4(name, { ttl: true }), this.#resolver.resolve6(name, { ttl: true })]);
    const records = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (records.length === 0) {
      const errors = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
      const codes = errors.map((error) => systemCode(error) ?? String(error));
      // A name without IPv6 answers ENODATA there; the other answer says what is wrong.
      const code = codes.find((each) => each !== 'ENODATA') ?? codes[0] ?? 'no address';
      const absent = errors.length === 0 || ABSENT.has(code);
      return { value: new FetchError('dns-failed', `${name}: ${code}`, { cause: errors[0], heals: !absent }), holdsMs: absent ? ABSENT_MS : FAILED_MS };
    }
    const ttlMs = Math.min(...records.map(({ ttl }) => ttl)) * SECOND;
    return { value: records.map(({ address }) => address), holdsMs: Math.min(Math.max(ttlMs, SHORTEST_MS), LONGEST_MS) };
  }
}

/** Names of /etc/hosts, which `dns.Resolver` does not read. Empty where there is no such file. */
export function readHostsFile(path = '/etc/hosts'): Map<string, string[]> {
  const hosts = new Map<string, string[]>();
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return hosts;
  }
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    // Addresses with a zone (fe80::1%lo) are of no use elsewhere.
    if (!address || address.includes('%')) continue;
    for (const name of names) hosts.set(name.toLowerCase(), [...(hosts.get(name.toLowerCase()) ?? []), address]);
  }
  return hosts;
}

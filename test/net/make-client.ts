import { onTestFinished } from 'vitest';
import { parseConnectTo } from '../../src/net/connect-to.ts';
import type { AddressResolver } from '../../src/net/dns-cache.ts';
import { FetchError } from '../../src/net/fetch-error.ts';
import { type NetworkPorts, PoliteClient, type PoliteClientOptions } from '../../src/net/polite-client.ts';

/** A client until the test ends. With `port` all its requests go to that port of loopback. */
export function makeClient(options: Partial<PoliteClientOptions> & { port?: number; timeoutMs?: number }, ports: NetworkPorts = {}): PoliteClient {
  const { port, timeoutMs = 1000, ...rest } = options;
  const client = new PoliteClient(
    {
      userAgent: 'pairmill/test',
      robotsToken: 'pairmill',
      deadlines: { connectMs: timeoutMs, headerMs: timeoutMs, idleMs: timeoutMs, totalMs: timeoutMs },
      maxBytes: 100_000,
      maxRedirects: 5,
      hostConcurrency: 4,
      hostIntervalMs: 0,
      connectTo: port === undefined ? [] : [parseConnectTo(`::127.0.0.1:${port}`)],
      obeyRobots: false,
      disallowedDirectives: ['noai', 'noimageai', 'noindex', 'noimageindex'],
      obeyTdmReservation: true,
      ignoreCertificates: false,
      accept: 'image/*',
      ...rest,
    },
    ports,
  );
  onTestFinished(() => client.close());
  return client;
}

/** The reason under which a URL is not fetched. */
export async function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'fetched',
    (error: unknown) => (error instanceof FetchError ? error.reason : String(error)),
  );
}

/** Every name has these addresses. */
export function resolvesTo(...addresses: string[]): AddressResolver {
  return {
    resolve4: async () => addresses.filter((each) => !each.includes(':')).map((address) => ({ address, ttl: 60 })),
    resolve6: async () => addresses.filter((each) => each.includes(':')).map((address) => ({ address, ttl: 60 })),
  };
}

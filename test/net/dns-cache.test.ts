import { describe, expect, test } from 'vitest';
import { type AddressResolver, DnsCache } from '../../src/net/dns-cache.ts';

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** Answers from a table and counts the questions. */
function fakeResolver(table: Record<string, { address: string; ttl: number }[]>): AddressResolver & { asked: string[]; mostAtOnce: number } {
  let now = 0;
  const resolver = {
    asked: [] as string[],
    mostAtOnce: 0,
    async resolve4(host: string) {
      resolver.asked.push(host);
      resolver.mostAtOnce = Math.max(resolver.mostAtOnce, ++now);
      await new Promise((resolve) => setTimeout(resolve, 1));
      now--;
      if (!table[host]) throw failure('ENOTFOUND');
      return table[host];
    },
    resolve6: async () => Promise.reject(failure('ENODATA')),
  };
  return resolver;
}

describe('DNS cache', () => {
  test('asks once within the time to live, and again after it', async () => {
    const resolver = fakeResolver({ 'a.test': [{ address: '8.8.8.8', ttl: 60 }] });
    let now = 0;
    const dns = new DnsCache({ resolver, hosts: new Map(), now: () => now });
    expect(await Promise.all([dns.resolve('a.test'), dns.resolve('A.test'), dns.resolve('a.test.')])).toEqual([['8.8.8.8'], ['8.8.8.8'], ['8.8.8.8']]);
    now = 59_000;
    await dns.resolve('a.test');
    expect(resolver.asked).toEqual(['a.test']);
    now = 61_000;
    await dns.resolve('a.test');
    expect(resolver.asked).toEqual(['a.test', 'a.test']);
  });

  test('a name that does not exist is remembered too', async () => {
    const resolver = fakeResolver({});
    const dns = new DnsCache({ resolver, hosts: new Map() });
    for (let i = 0; i < 3; i++) await expect(dns.resolve('none.test')).rejects.toMatchObject({ reason: 'dns-failed', value: 'none.test: ENOTFOUND' });
    expect(resolver.asked).toHaveLength(1);
  });

  test('names of the hosts file and localhost are not asked for', async () => {
    const resolver = fakeResolver({});
    const dns = new DnsCache({ resolver, hosts: new Map([['box', ['10.0.0.1']]]) });
    expect(await dns.resolve('BOX')).toEqual(['10.0.0.1']);
    expect(await dns.resolve('localhost')).toEqual(['127.0.0.1', '::1']);
    expect(await dns.resolve('a.localhost.')).toEqual(['127.0.0.1', '::1']);
    expect(resolver.asked).toEqual([]);
  });

  test('few questions at a time', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `h${i}.test`);
    const resolver = fakeResolver(Object.fromEntries(names.map((name) => [name, [{ address: '8.8.8.8', ttl: 1 }]])));
    const dns = new DnsCache({ resolver, hosts: new Map() });
    await Promise.all(names.map((name) => dns.resolve(name)));
    expect(resolver.mostAtOnce).toBe(64);
  });
});

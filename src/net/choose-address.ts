import type { AllowedAddresses } from './allowed-addresses.ts';
import { literalAddress, refusedRange } from './address-guard.ts';
import { type ConnectTo, matchConnectTo } from './connect-to.ts';
import type { DnsCache } from './dns-cache.ts';
import { FetchError } from './fetch-error.ts';

/** Where a request goes: addresses that were checked, so that nothing is looked up a second time. They are tried in their order. */
export interface Target {
  addresses: readonly string[];
  port: number;
}

/**
 * The addresses for a URL. Every address of the name must be public: one that also resolves to a private address is
 * refused as a whole, or its owner could choose by luck. A --connect-to rule for any host does not lift the guard
 * from URLs that name a private address themselves; a rule that names their host does, and so does --allow-address.
 * Throws FetchError `private-address` or `dns-failed`.
 */
export async function chooseAddresses(url: URL, dns: DnsCache, rules: readonly ConnectTo[], allowed: AllowedAddresses): Promise<Target> {
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const rule = matchConnectTo(rules, url.hostname, port);
  const literal = literalAddress(url.hostname) ?? (/(^|\.)localhost\.?$/.test(url.hostname) ? '127.0.0.1' : undefined);
  if (rule && !(rule.anyHost && literal)) return { addresses: [rule.address], port: rule.port };
  const addresses = literal ? [literal] : await dns.resolve(url.hostname);
  for (const address of addresses) {
    const range = refusedRange(address);
    if (range && !allowed(address)) throw new FetchError('private-address', literal ? `${address} (${range})` : `${url.hostname} is ${address} (${range})`);
  }
  return rule ? { addresses: [rule.address], port: rule.port } : { addresses, port };
}

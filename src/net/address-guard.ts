import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Metadata services on addresses that look public; the others are link-local, unique local or shared (CGNAT). */
const METADATA_ADDRESSES = new Set(['168.63.129.16']);

/**
 * Why no request may go to an IP address: the name of its range, or undefined where it is an ordinary public one.
 * Refused are all but global unicast: private, loopback, link-local, shared (CGNAT), multicast, reserved, and the
 * forms of IPv6 that carry an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo), whatever they carry.
 */
export function refusedRange(address: string): string | undefined {
  // ipaddr.js also reads 1.2.3 and 0x7f.1, which are names to a resolver.
  if (isIP(address) === 0) return 'not an IP address';
  const parsed = ipaddr.parse(address);
  if (METADATA_ADDRESSES.has(parsed.toString())) return 'metadata';
  const range = parsed.range();
  if (range !== 'unicast') return range;
  // Global unicast is 2000::/3 (IANA). The rest is unassigned, or means something else, such as ::127.0.0.1.
  if (parsed instanceof ipaddr.IPv6 && parsed.parts[0]! >> 13 !== 1) return 'reserved';
  return undefined;
}

/** The IP address that a URL's host names literally (`new URL` has made 2130706433 and 0x7f.1 into one), or undefined. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
}

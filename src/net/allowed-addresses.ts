import { BlockList, isIP } from 'node:net';
import { UsageError } from '../contracts/errors.ts';

/** Addresses that requests may go to although they are private: those of --allow-address. */
export type AllowedAddresses = (address: string) => boolean;

/** Reads addresses and ranges: `127.0.0.1`, `10.0.0.0/8`, `fd00::/8`. Throws UsageError where one is neither. */
export function parseAllowedAddresses(texts: readonly string[]): AllowedAddresses {
  // Node names it after its other use; it is a set of addresses and ranges.
  const allowed = new BlockList();
  for (const text of texts) {
    const [address = '', prefix, ...rest] = text.split('/');
    const family = isIP(address);
    const bits = prefix === undefined ? undefined : Number(prefix);
    const isRange = bits !== undefined && /^\d+$/.test(prefix!) && bits <= (family === 4 ? 32 : 128);
    if (family === 0 || rest.length > 0 || (bits !== undefined && !isRange))
      throw new UsageError(`--allow-address ${text} is neither an IP address nor a range of them. Give one such as 192.168.1.20 or 10.0.0.0/8.`);
    const type = family === 4 ? 'ipv4' : 'ipv6';
    if (bits === undefined) allowed.addAddress(address, type);
    else allowed.addSubnet(address, bits, type);
  }
  return (address) => allowed.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

import { isIP } from 'node:net';
import { UsageError } from '../contracts/errors.ts';

/** One `--connect-to HOST:PORT:ADDR:PORT`: requests for HOST:PORT go to ADDR:PORT. Empty matches any, or changes nothing. */
export interface ConnectTo {
  host: string;
  port: string;
  address: string;
  toPort: string;
}

/**
 * curl's option of that name. An IPv6 address stands in brackets. Unlike curl's, ADDR is an IP address: exactly that
 * one is let through the address guard, and a name could mean another one tomorrow. Throws UsageError.
 */
export function parseConnectTo(text: string): ConnectTo {
  const match = /^(\[[^\]]*\]|[^:]*):(\d*):(\[[^\]]*\]|[^:]*):(\d*)$/.exec(text);
  if (!match)
    throw new UsageError(
      `--connect-to ${text} is not of the form HOST:PORT:ADDR:PORT (HOST, PORT and the last PORT may be empty; IPv6 addresses in brackets).`,
    );
  const [, host, port, to, toPort] = match as unknown as [string, string, string, string, string];
  const address = to.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) === 0)
    throw new UsageError(`--connect-to ${text}: ${JSON.stringify(to)} is not an IP address. Give the address to connect to, such as 127.0.0.1.`);
  for (const each of [port, toPort])
    if (each !== '' && (Number(each) < 1 || Number(each) > 65_535)) throw new UsageError(`--connect-to ${text}: ${each} is not a port (1 to 65535).`);
  return { host: host.toLowerCase(), port, address, toPort };
}

/** The first rule for a host (as in `URL.hostname`) and port, as curl takes the first that matches. */
export function matchConnectTo(rules: readonly ConnectTo[], host: string, port: number): { address: string; port: number; anyHost: boolean } | undefined {
  const rule = rules.find((each) => (each.host === '' || each.host === host.toLowerCase()) && (each.port === '' || Number(each.port) === port));
  return rule && { address: rule.address, port: rule.toPort === '' ? port : Number(rule.toPort), anyHost: rule.host === '' };
}

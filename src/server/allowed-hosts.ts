import { isIP, isIPv6 } from 'node:net';

/**
 * Says whether a request's Host header may reach the server. A page of a hostile site can rebind its own name to
 * 127.0.0.1 and so read a server that listens only there; the Host header then still holds the hostile name.
 * Addresses can't be rebound, so where the server listens beyond loopback they are all let through.
 */
export function allowedHosts(listening: string, further: readonly string[]): (header: string | undefined) => boolean {
  const loopback = isLoopback(listening);
  const names = new Set(['localhost', '127.0.0.1', '[::1]', listening.toLowerCase(), bracketed(listening), ...further.map((name) => name.toLowerCase())]);
  return (header) => {
    if (!header) return false;
    const host = header.toLowerCase().replace(/:\d+$/, '');
    return names.has(host) || (!loopback && isIP(host.replace(/^\[|\]$/g, '')) !== 0);
  };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function bracketed(host: string): string {
  return isIPv6(host) ? `[${host.toLowerCase()}]` : host.toLowerCase();
}

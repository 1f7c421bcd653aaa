import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { HttpExchanger } from '../../src/net/http-exchange.ts';

/** A key and a self-signed certificate for `names`; undefined where there is no openssl. */
async function selfSigned(names: string): Promise<{ key: Buffer; cert: Buffer } | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-tls-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  try {
    execFileSync(
      'openssl',
      ['req', '-x509', ...curve, '-days', '2', '-subj', '/CN=secure.test', '-addext', `subjectAltName=${names}`, '-keyout', key, '-out', cert],
      { stdio: 'ignore' },
    );
    return { key: await readFile(key), cert: await readFile(cert) };
  } catch {
    return undefined;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const deadlines = { connectMs: 5000, headerMs: 5000, idleMs: 5000, totalMs: 5000 };

/** What a server with such a certificate, which is trusted or not, answers to each URL. Undefined where there is no openssl. */
async function startSecureServer(
  names: string,
  { trusted = false } = {},
): Promise<{ asked: unknown[]; get(url: string, options?: { ignoreCertificates: boolean }): Promise<string> } | undefined> {
  const pair = await selfSigned(names);
  if (!pair) return undefined;
  const usual = getCACertificates('default');
  if (trusted) setDefaultCACertificates([...usual, pair.cert.toString()]);
  const asked: unknown[] = [];
  const server = createServer(pair, (request, response) => {
    asked.push((request.socket as TLSSocket & { servername?: unknown }).servername);
    // Each request makes a connection.
    response.setHeader('connection', 'close').end('picture');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const exchangers = [new HttpExchanger(), new HttpExchanger({ ignoreCertificates: true })] as const;
  onTestFinished(() => {
    for (const exchanger of exchangers) exchanger.close();
    server.closeAllConnections();
    server.close();
    setDefaultCACertificates(usual);
  });
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    get: async (url, { ignoreCertificates } = { ignoreCertificates: false }) => {
      // Of a name's addresses, nothing listens at the first.
      const addresses = url.includes('test') ? ['127.0.0.9', '127.0.0.1'] : ['127.0.0.1'];
      return exchangers[ignoreCertificates ? 1 : 0].get(new URL(url), { addresses, port }, { headers: {}, deadlines, maxBytes: 1000 }).then(
        ({ body }) => body.toString(),
        (error: Error) => error.message,
      );
    },
  };
}

test('TLS: the name of the URL is asked for, at the address that was chosen; an unknown certificate is refused', async (context) => {
  const server = await startSecureServer('DNS:secure.test');
  if (!server) return context.skip('no openssl');
  const careless = { ignoreCertificates: true };
  expect(await server.get('https://secure.test/')).toBe('connection-failed: DEPTH_ZERO_SELF_SIGNED_CERT');
  expect(await server.get('https://secure.test/', careless)).toBe('picture');
  expect(await server.get('https://other.test/', careless)).toBe('picture');
  expect(server.asked).toEqual(['secure.test', 'other.test']);
});

test('TLS: a trusted certificate is good for its own names and addresses alone, also where a session is resumed', async (context) => {
  const server = await startSecureServer('DNS:secure.test,DNS:*.pictures.test,IP:127.0.0.1', { trusted: true });
  if (!server) return context.skip('no openssl');
  const otherName = 'connection-failed: ERR_TLS_CERT_ALTNAME_INVALID';
  for (const [url, answer] of [
    ['https://secure.test/', 'picture'],
    ['https://secure.test/', 'picture'],
    ['https://other.test/', otherName],
    ['https://a.pictures.test/', 'picture'],
    ['https://a.b.pictures.test/', otherName],
    ['https://pictures.test/', otherName],
    ['https://127.0.0.1/', 'picture'],
  ] as const)
    expect(await server.get(url), url).toBe(answer);
  const byName = await startSecureServer('DNS:127.0.0.1', { trusted: true });
  expect(await byName!.get('https://127.0.0.1/')).toBe(otherName);
});

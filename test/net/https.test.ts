import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { HttpExchanger } from '../../src/net/http-exchange.ts';

/** A key and a self-signed certificate for secure.test; undefined where there is no openssl. */
async function selfSigned(): Promise<{ key: Buffer; cert: Buffer } | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-tls-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  try {
    execFileSync(
      'openssl',
      ['req', '-x509', ...curve, '-days', '2', '-subj', '/CN=secure.test', '-addext', 'subjectAltName=DNS:secure.test', '-keyout', key, '-out', cert],
      { stdio: 'ignore' },
    );
    return { key: await readFile(key), cert: await readFile(cert) };
  } catch {
    return undefined;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('TLS: the name of the URL is asked for and verified, at the address that was chosen', async (context) => {
  const pair = await selfSigned();
  if (!pair) return context.skip('no openssl');
  const names: unknown[] = [];
  const server = createServer(pair, (request, response) => {
    names.push((request.socket as TLSSocket & { servername?: unknown }).servername);
    response.end('picture');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Nothing listens at the first address.
  const target = { addresses: ['127.0.0.9', '127.0.0.1'], port: (server.address() as AddressInfo).port };
  const options = { headers: {}, deadlines: { connectMs: 5000, headerMs: 5000, idleMs: 5000, totalMs: 5000 }, maxBytes: 1000 };
  const [strict, careless] = [new HttpExchanger(), new HttpExchanger({ ignoreCertificates: true })];
  onTestFinished(() => {
    strict.close();
    careless.close();
    server.closeAllConnections();
    server.close();
  });
  const get = async (exchanger: HttpExchanger, url: string): Promise<string> =>
    exchanger.get(new URL(url), target, options).then(
      ({ body }) => body.toString(),
      (error: Error) => error.message,
    );
  expect(await get(strict, 'https://secure.test/')).toBe('connection-failed: DEPTH_ZERO_SELF_SIGNED_CERT');
  expect(await get(careless, 'https://secure.test/')).toBe('picture');
  expect(await get(careless, 'https://other.test/')).toBe('picture');
  expect(names).toEqual(['secure.test', 'other.test']);
});

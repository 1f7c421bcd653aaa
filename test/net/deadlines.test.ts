import { createServer, Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { parseAllowedAddresses } from '../../src/net/allowed-addresses.ts';
import { FetchError } from '../../src/net/fetch-error.ts';
import { startServer } from './loopback-server.ts';
import { makeClient, reasonOf, resolvesTo } from './make-client.ts';

const long = 20_000;
const generous = { connectMs: long, headerMs: long, idleMs: long, totalMs: long };

/** What the error of a request says. */
async function wordsOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'fetched',
    (error: unknown) => (error instanceof FetchError ? `${error.reason}: ${error.value}, ${error.threshold}` : String(error)),
  );
}

test('each part of a request has its own deadline', async () => {
  const server = await startServer(async (request, response) => {
    if (request.url === '/silent') return;
    for (let piece = 0; piece < 4; piece++) {
      response.write('x');
      await sleep(150);
    }
    if (request.url !== '/stalls') response.end();
  });
  const { port } = server;
  const connectsNever = makeClient({ port, deadlines: { ...generous, connectMs: 100 } }, { connect: () => Object.assign(new Socket(), { connecting: true }) });
  expect(await wordsOf(connectsNever.get('http://a.test/'))).toBe('timeout: no connection, 0.1 s');
  const impatient = makeClient({ port, deadlines: { ...generous, headerMs: 200 } });
  expect(await wordsOf(impatient.get('http://a.test/silent'))).toBe('timeout: no answer, 0.2 s');
  const idle = makeClient({ port, deadlines: { ...generous, idleMs: 500 } });
  expect(await wordsOf(idle.get('http://a.test/stalls'))).toBe('timeout: the answer stalls, 0.5 s');
  // It takes longer than that in all, but no pause does.
  expect(await wordsOf(idle.get('http://a.test/drips'))).toBe('fetched');
  const whole = makeClient({ port, deadlines: { ...generous, totalMs: 150 } });
  expect(await wordsOf(whole.get('http://a.test/drips'))).toBe('timeout: no complete answer, 0.15 s');
});

test('all addresses of a host are tried', async () => {
  const server = await startServer((_request, response) => void response.end('picture'));
  const allowedAddresses = parseAllowedAddresses(['127.0.0.0/8', '::1']);
  // Nothing listens at the first two.
  const several = makeClient({ allowedAddresses }, { resolver: resolvesTo('127.0.0.8', '127.0.0.9', '127.0.0.1'), hosts: new Map() });
  expect(await reasonOf(several.get(`http://several.test:${server.port}/`))).toBe('fetched');
  const none = makeClient({ allowedAddresses }, { resolver: resolvesTo('127.0.0.8', '127.0.0.9'), hosts: new Map() });
  expect(await wordsOf(none.get(`http://none.test:${server.port}/`))).toBe('connection-failed: ECONNREFUSED, null');
});

test('IPv6 where IPv4 refuses, and the other way round', async (context) => {
  for (const [listens, ...addresses] of [
    ['::1', '127.0.0.1', '::1'],
    ['127.0.0.1', '::1', '127.0.0.1'],
  ] as const) {
    const server = createServer((socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\npicture'));
    onTestFinished(() => void server.close());
    const failed = await new Promise<Error | undefined>((resolve) => {
      server.once('error', resolve);
      server.listen(0, listens, () => resolve(undefined));
    });
    if (failed) return context.skip('no IPv6');
    const client = makeClient({ allowedAddresses: parseAllowedAddresses(['127.0.0.1', '::1']) }, { resolver: resolvesTo(...addresses), hosts: new Map() });
    expect(await reasonOf(client.get(`http://both.test:${(server.address() as AddressInfo).port}/`))).toBe('fetched');
  }
});

test('connections are used again', async () => {
  const server = await startServer((_request, response) => void response.end('picture'));
  let connections = 0;
  server.server.on('connection', () => connections++);
  const client = makeClient({ port: server.port, hostConcurrency: 2 });
  await Promise.all(Array.from({ length: 20 }, async (_, i) => client.get(`http://a.test/${i}`)));
  expect(server.requests).toHaveLength(20);
  expect(connections).toBe(2);
});

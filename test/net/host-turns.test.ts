import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { FetchError } from '../../src/net/fetch-error.ts';
import { HostTurns } from '../../src/net/host-turns.ts';
import type { Exchange } from '../../src/net/http-exchange.ts';
import { startServer } from './loopback-server.ts';
import { makeClient, reasonOf } from './make-client.ts';

const times = async (count: number, task: (index: number) => Promise<string>): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => task(i)));

describe('pace', () => {
  test('an interval between the starts at one host; other hosts do not wait for it', async () => {
    const server = await startServer((_request, response) => void response.end('picture'));
    const client = makeClient({ port: server.port, hostIntervalMs: 60, timeoutMs: 10_000 });
    const seconds = async (requests: () => Promise<unknown>): Promise<number> => {
      const started = performance.now();
      await requests();
      return (performance.now() - started) / 1000;
    };
    // Five requests have four intervals; a timer may be a millisecond early.
    expect(await seconds(async () => times(5, async () => reasonOf(client.get('http://a.test/'))))).toBeGreaterThan(4 * 0.058);
    expect(await seconds(async () => times(100, async (i) => reasonOf(client.get(`http://h${i}.test/`))))).toBeLessThan(99 * 0.06);
  });
});

describe('Retry-After', () => {
  test('holds for the host: nothing is asked of it before, then all is', async () => {
    let refusedAt = 0;
    const early: string[] = [];
    const server = await startServer((request, response) => {
      if (refusedAt === 0) {
        refusedAt = performance.now();
        response.writeHead(429, { 'retry-after': '1' }).end();
        return;
      }
      if (request.headers.host === 'a.test' && performance.now() - refusedAt < 980) early.push(request.url!);
      response.end('picture');
    });
    const client = makeClient({ port: server.port, hostConcurrency: 1 });
    const results = await times(6, async (i) => reasonOf(client.get(`http://a.test/${i}`, { retries: i === 0 ? 1 : 0 })));
    expect(new Set(results)).toEqual(new Set(['fetched']));
    expect(early).toEqual([]);
    expect(server.requests).toHaveLength(7);
  });

  test('of more than a minute: the URL and others of its host are left under the reason, and nothing more is asked', async () => {
    const server = await startServer((_request, response) => void response.writeHead(503, { 'retry-after': '3600' }).end());
    const client = makeClient({ port: server.port, hostConcurrency: 1 });
    const results = await times(30, async (i) => reasonOf(client.get(`http://a.test/${i}`, { retries: 3 })));
    expect(new Set(results)).toEqual(new Set(['http-server-error']));
    expect(server.requests).toEqual(['a.test /0']);
  });
});

describe('dead hosts', () => {
  test('after some requests without an answer the others cost nothing, and other hosts go on', async () => {
    const server = await startServer((request, response) => void (request.headers.host === 'dead.test' ? undefined : response.end('picture')));
    const client = makeClient({ port: server.port, hostConcurrency: 2, timeoutMs: 200 });
    const started = performance.now();
    const results = await times(200, async (i) => reasonOf(client.get(`http://dead.test/${i}`)));
    expect(new Set(results)).toEqual(new Set(['timeout']));
    expect(server.requests.length).toBeLessThanOrEqual(9);
    // 200 deadlines, two at a time, would be 20 s.
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(await reasonOf(client.get('http://alive.test/'))).toBe('fetched');
  });

  test('whose robots.txt does not come cost no more', async () => {
    const server = await startServer((request) => void request.socket.destroy());
    const client = makeClient({ port: server.port, obeyRobots: true });
    const results: string[] = [];
    for (let i = 0; i < 40; i++) results.push(await reasonOf(client.get(`http://dead.test/${i}`)));
    expect(new Set(results)).toEqual(new Set(['connection-failed']));
    expect(server.requests.length).toBeLessThanOrEqual(8);
  });

  test('are asked again after a while, later each time, and are as before when they answer', async () => {
    let now = 0;
    let alive = false;
    const turns = new HostTurns({ concurrency: 1, intervalMs: 0, now: () => now });
    let asked = 0;
    const ask = async (): Promise<string> =>
      reasonOf(
        turns.run('a.test', async () => {
          asked++;
          if (!alive) throw new FetchError('connection-failed', 'ECONNREFUSED');
          return { status: 200, headers: {}, body: Buffer.alloc(0) } satisfies Exchange;
        }),
      );
    const askedIn = async (requests: number): Promise<number> => {
      const before = asked;
      for (let i = 0; i < requests; i++) await ask();
      return asked - before;
    };
    expect(await askedIn(50)).toBe(8);
    now += 61_000;
    expect(await askedIn(50)).toBe(1);
    now += 61_000;
    expect(await askedIn(50)).toBe(0);
    now += 60_000;
    alive = true;
    expect(await askedIn(50)).toBe(50);
    alive = false;
    expect(await askedIn(50)).toBe(8);
  });

  test('an error now and then makes no host a dead one', async () => {
    const server = await startServer(
      (request, response) => void (Number(request.url!.slice(1)) % 5 === 0 ? response.end('picture') : request.socket.destroy()),
    );
    const client = makeClient({ port: server.port });
    for (let i = 0; i < 30; i++) expect(await reasonOf(client.get(`http://a.test/${i}`))).toBe(i % 5 === 0 ? 'fetched' : 'connection-failed');
    expect(server.requests.length).toBeGreaterThanOrEqual(30);
  });
});

describe('retries', () => {
  test('what may pass is tried again after Retry-After, a 404 is not', async () => {
    const server = await startServer((request, response) => {
      if (request.url === '/gone') response.writeHead(404).end();
      else if (server.requests.length < 2) response.writeHead(503, { 'retry-after': '1' }).end();
      else response.end('picture');
    });
    const client = makeClient({ port: server.port });
    const started = performance.now();
    await client.get('http://a.test/busy', { retries: 2 });
    expect(performance.now() - started).toBeGreaterThan(990);
    expect(await reasonOf(client.get('http://a.test/gone', { retries: 2 }))).toBe('http-not-found');
    expect(server.requests).toEqual(['a.test /busy', 'a.test /busy', 'a.test /gone']);
  });

  test('one budget for the URL: shared by its redirects and its robots.txt, and redirects are not followed anew', async () => {
    const failures = new Map([
      ['/robots.txt', 1],
      ['/from', 1],
    ]);
    const server = await startServer((request, response) => {
      const left = failures.get(request.url!) ?? 0;
      failures.set(request.url!, left - 1);
      if (left > 0 && request.url === '/robots.txt') request.socket.destroy();
      else if (left > 0 || request.url === '/to') response.writeHead(500).end();
      else if (request.url === '/from') response.writeHead(302, { location: '/to' }).end();
      else response.writeHead(404).end();
    });
    const client = makeClient({ port: server.port, obeyRobots: true });
    expect(await reasonOf(client.get('http://a.test/from', { retries: 3 }))).toBe('http-server-error');
    expect(server.requests.map((each) => each.split(' ')[1])).toEqual(['/robots.txt', '/robots.txt', '/from', '/from', '/to', '/to']);
  });

  test('end with the signal', async () => {
    const server = await startServer((_request, response) => void response.writeHead(503, { 'retry-after': '30' }).end());
    const abort = new AbortController();
    const result = makeClient({ port: server.port }).get('http://a.test/', { retries: 5, signal: abort.signal });
    await sleep(100);
    abort.abort();
    await expect(result).rejects.toThrow('aborted');
  });
});

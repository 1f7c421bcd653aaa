import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import robotsParser from 'robots-parser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Kind } from '../../src/demo/kinds.ts';
import { type Origin, startOrigin, startOriginThread } from '../../src/demo/origin.ts';
import { makeTinyWeb, type TinyWeb } from './tiny-web.ts';

// The package's types know no default export that can be called.
const readRobots = robotsParser as unknown as (url: string, body: string) => { isAllowed(url: string, agent: string): boolean | undefined };

let web: TinyWeb;
let origin: Origin;
const agent = new http.Agent({ keepAlive: true });

beforeAll(async () => {
  web = await makeTinyWeb({ candidates: 200 });
  origin = await startOrigin({ folder: web.folder });
});
afterAll(async () => {
  agent.destroy();
  await origin.close();
  web.remove();
});

interface Fetched {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  /** The body ended as it should, and was not given up. */
  complete: boolean;
  milliseconds: number;
  reused: boolean;
}

/** Asks the origin for a URL, as a client that connects to it whatever the host. */
function get(url: string, { method = 'GET', patience = 4000, most = 21_000_000, port = origin.port } = {}): Promise<Fetched> {
  const { host, pathname, search } = new URL(url);
  const start = Date.now();
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path: pathname + search, headers: { host }, agent }, (response) => {
      const pieces: Buffer[] = [];
      let size = 0;
      const finish = (complete: boolean): void => {
        clearTimeout(timer);
        request.destroy();
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(pieces), complete, milliseconds: Date.now() - start, reused: request.reusedSocket });
      };
      const timer = setTimeout(() => finish(false), patience);
      response.on('data', (piece: Buffer) => {
        pieces.push(piece);
        size += piece.length;
        if (size > most) finish(false);
      });
      response.on('end', () => {
        clearTimeout(timer);
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(pieces), complete: true, milliseconds: Date.now() - start, reused: request.reusedSocket });
      });
      response.on('error', () => {});
    });
    request.on('error', reject);
    request.end();
  });
}

function ofKind(kind: Kind): TinyWeb['links'] {
  return web.links.filter((link) => link.kind === kind);
}

function pictureBytes(link: TinyWeb['links'][number]): Buffer {
  return readFileSync(join(web.folder, 'pictures', link.picture ?? ''));
}

/** Follows redirects as a client would. */
async function follow(url: string, hops = 6): Promise<Fetched | 'too many'> {
  const answer = await get(url);
  if (answer.headers.location === undefined) return answer;
  return hops === 0 ? 'too many' : follow(new URL(answer.headers.location, url).href, hops - 1);
}

describe('the origin', () => {
  test('serves every link that it should with its own picture and type', async () => {
    const served = [
      'right',
      'wrong-caption',
      'near-duplicate',
      'long-text',
      'x-robots-tag',
      'tdm-reservation',
      'robots-txt',
      'svg-url',
      'tiny-file',
      'pixel-bomb',
    ] as const;
    const types: Record<string, string> = { jpg: 'image/jpeg', png: 'image/png', webp: 'image/webp', svg: 'image/svg+xml' };
    for (const link of served.flatMap(ofKind)) {
      const { status, headers, body } = await get(link.url);
      expect([status, headers['content-type']], link.url).toEqual([200, types[(link.picture ?? '').split('.').at(-1) ?? '']]);
      expect(body.equals(pictureBytes(link)), link.url).toBe(true);
    }
  });

  test('serves the pages of the crawl', async () => {
    const pages = new Map(web.links.map((link) => [link.page_url, link]));
    for (const url of pages.keys()) {
      const { status, headers, body } = await get(url);
      expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
      expect(body.toString('utf8')).toMatch(/^<!DOCTYPE html>\n[^]*<\/html>\n$/);
    }
    expect(pages.size).toBe(web.manifest.pages);
  });

  test('answers with errors where planted, and 404 to what it does not know', async () => {
    for (const status of [404, 403, 429, 500] as const) {
      for (const { url } of ofKind(`status-${status}`)) expect((await get(url)).status).toBe(status);
    }
    expect((await get('http://pictures.test/nothing-here')).status).toBe(404);
    expect((await get(ofKind('right')[0]!.url.replace(/^http:\/\/[^/]+/, 'http://unknown.test'))).status).toBe(404);
    expect((await get(ofKind('right')[0]!.url, { method: 'POST' })).status).toBe(405);
    const head = await get(ofKind('right')[0]!.url, { method: 'HEAD' });
    expect([head.status, head.body.length, Number(head.headers['content-length'])]).toEqual([200, 0, pictureBytes(ofKind('right')[0]!).length]);
  });

  test('redirects to the picture, round in circles, or to where nobody should follow', async () => {
    for (const link of ofKind('redirect')) {
      expect((await get(link.url)).status).toBeGreaterThanOrEqual(301);
      const end = await follow(link.url, 2);
      expect(end !== 'too many' && end.status === 200 && end.body.equals(pictureBytes(link)), link.url).toBe(true);
    }
    for (const { url } of ofKind('redirect-loop')) expect(await follow(url)).toBe('too many');
    for (const { url } of ofKind('redirect-to-private')) {
      const { status, headers } = await get(url);
      expect(status).toBe(302);
      expect(new URL(headers.location ?? '').hostname).not.toMatch(/\.test$/);
    }
    expect((await get(ofKind('redirect-to-private')[0]!.url)).headers.location).toMatch(/^http:\/\//);
  });

  test('drips, stalls, and never ends', async () => {
    await Promise.all(
      ofKind('slow-body').map(async (link) => {
        const { complete, body, milliseconds } = await get(link.url);
        expect(complete && body.equals(pictureBytes(link))).toBe(true);
        expect(milliseconds).toBeGreaterThan(700);
      }),
    );
    const stalled = ofKind('stalled-body')[0]!;
    const half = await get(stalled.url, { patience: 800 });
    expect(half.complete).toBe(false);
    expect(half.body.length).toBe(Math.floor(pictureBytes(stalled).length / 2));
    expect(Number(half.headers['content-length'])).toBe(pictureBytes(stalled).length);
    const endless = await get(ofKind('endless-body')[0]!.url, { patience: 5000, most: 20_000_000 });
    expect(endless.complete).toBe(false);
    expect(endless.body.length).toBeGreaterThan(20_000_000);
    expect(endless.milliseconds).toBeLessThan(5000);
  });

  test('says in robots.txt what is closed, and in headers what is reserved', async () => {
    const mayTake = async (url: string, who: string): Promise<boolean> => {
      const robots = new URL('/robots.txt', url).href;
      const { status, body } = await get(robots);
      return status === 404 || readRobots(robots, body.toString('utf8')).isAllowed(url, who) !== false;
    };
    for (const { url } of ofKind('robots-txt')) expect([await mayTake(url, 'pairmill'), await mayTake(url, 'anybody')], url).toEqual([false, false]);
    for (const { url } of ofKind('robots-txt-agent')) expect([await mayTake(url, 'pairmill'), await mayTake(url, 'anybody')], url).toEqual([false, true]);
    const crawlable = web.links.filter(({ url, kind }) => url.startsWith('http') && !/^robots-txt|^private-/.test(kind));
    for (const { url } of crawlable) expect(await mayTake(url, 'pairmill'), url).toBe(true);
    for (const { page_url: url } of web.links) expect(await mayTake(url, 'examplebot'), url).toBe(true);
    for (const { url } of ofKind('x-robots-tag'))
      expect((await get(url)).headers['x-robots-tag']).toMatch(/^(pairmill: )?(noai|noimageai|noindex|noimageindex)/i);
    for (const { url } of ofKind('x-robots-other')) expect((await get(url)).headers['x-robots-tag']).toMatch(/^(otherbot: |max-)/);
    for (const { url } of ofKind('tdm-reservation')) expect((await get(url)).headers['tdm-reservation']).toBe('1');
    expect((await get('http://img.test/robots.txt')).status).toBe(404);
  });

  test('gives the same answer again, over the same connection', async () => {
    const { url } = ofKind('right')[1]!;
    const [one, two] = [await get(url), await get(url)];
    expect(two.headers).toEqual(one.headers);
    expect(two.body.equals(one.body)).toBe(true);
    expect(two.reused).toBe(true);
  });

  test('counts who was asked for, and lists how to connect', async () => {
    const url = 'http://pictures.test/counted';
    await get(url);
    await get(url);
    expect(origin.requests().get(url)).toBe(2);
    expect(origin.connectTo).toContain(`pictures.test:80:127.0.0.1:${origin.port}`);
    expect(origin.connectTo).toHaveLength(web.manifest.hosts.length);
  });
});

describe('the origin in a thread', () => {
  test('answers the same, counts, closes with an answer under way, and tells of a port in use', async () => {
    const threaded = await startOriginThread({ folder: web.folder });
    const { url } = ofKind('right')[0]!;
    expect((await get(url, { port: threaded.port })).body.equals(pictureBytes(ofKind('right')[0]!))).toBe(true);
    await expect(startOriginThread({ folder: web.folder, port: threaded.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const stalled = get(ofKind('stalled-body')[0]!.url, { port: threaded.port, patience: 300 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await threaded.close();
    await stalled;
    expect(threaded.requests().get(url)).toBe(1);
    await expect(get(url, { port: threaded.port })).rejects.toThrow(/ECONNREFUSED|socket hang up|ECONNRESET/);
  });
});

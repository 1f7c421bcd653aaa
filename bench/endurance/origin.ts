import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { hugePng } from '../../src/demo/huge-png.ts';
import type { Kind } from './kinds.ts';

/** The origin of the endurance run, a process of its own: `/KIND/N` answers as the kind says. Says its port when it listens. */
const noise = (seed: number) =>
  sharp({ create: { width: 320, height: 240, channels: 3, background: { r: seed * 8, g: 90, b: 60 }, noise: { type: 'gaussian', mean: 128, sigma: 25 } } });
const many = Array.from({ length: 24 }, (_, i) => i);
const jpegs = await Promise.all(many.map(async (i) => noise(i).jpeg({ quality: 80 }).toBuffer()));
const pngs = await Promise.all(many.slice(0, 4).map(async (i) => noise(i).resize(120, 90).png().toBuffer()));
const webps = await Promise.all(many.slice(0, 8).map(async (i) => noise(i).webp().toBuffer()));
const gif = await noise(0).resize(100, 100).gif().toBuffer();
const bomb = gzipSync(Buffer.alloc(20_000_000));
const huge = await hugePng(20_000, 20_000);
const html = Buffer.from(`<!doctype html><title>Gone</title>${'<p>This picture is not here any more.</p>'.repeat(50)}`);
const large = Buffer.alloc(300_000, 'x');

/** URLs that have been asked for, of kinds that fail at first. */
const asked = new Set<string>();
const isFirst = (url: string): boolean => asked.size !== asked.add(url).size;

const pick = (list: readonly Buffer[], number: number): Buffer => list[number % list.length]!;
const end = (response: ServerResponse, body: Buffer, headers: Record<string, string> = {}): void => {
  response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': body.length, ...headers }).end(body);
};

type Answer = (response: ServerResponse, number: number, request: IncomingMessage) => unknown;
const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end();

const answers: Partial<Record<Kind, Answer>> = {
  jpeg: (response, number) => end(response, pick(jpegs, number)),
  png: (response, number) => end(response, pick(pngs, number)),
  webp: (response, number) => end(response, pick(webps, number), { 'content-type': 'text/plain' }),
  polyglot: (response, number) => end(response, Buffer.concat([pick(jpegs, number), Buffer.from('PK\u0003\u0004<script>')])),
  redirect: (response, number) => response.writeHead(302, { location: `/jpeg/${number}` }).end(),
  drips: async (response, number) => {
    const body = pick(jpegs, number);
    response.writeHead(200, { 'content-length': body.length });
    for (let at = 0; at < body.length && !response.destroyed; at += 4000) {
      response.write(body.subarray(at, at + 4000));
      await sleep(100);
    }
    response.end();
  },
  busy: (response, number, request) => (isFirst(request.url!) ? response.writeHead(503, { 'retry-after': '1' }).end() : end(response, pick(jpegs, number))),
  flaky: (response, number, request) => (isFirst(request.url!) ? request.socket.destroy() : end(response, pick(jpegs, number))),
  'not-found': status(404),
  forbidden: status(403),
  'too-many': status(429),
  'server-error': status(500),
  teapot: status(418),
  loop: (response, number) => response.writeHead(302, { location: `/loop/${number}` }).end(),
  'to-private': status(302, { location: 'http://169.254.169.254/latest/meta-data/' }),
  stalls: (response, number) => response.writeHead(200, { 'content-length': 50_000 }).write(pick(jpegs, number).subarray(0, 1000)),
  silent: () => undefined,
  hanging: () => undefined,
  reset: (_response, _number, request) => request.socket.destroy(),
  'cut-short': (response, number) => {
    response.writeHead(200, { 'content-length': 50_000 });
    response.write(pick(jpegs, number).subarray(0, 1000), () => response.destroy());
  },
  'no-http': (response) => response.socket?.end('SSH-2.0-OpenSSH_9.6\r\n'),
  endless: (response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(large));
    };
    response.on('drain', more);
    more();
  },
  'too-large': (response) => response.writeHead(200, { 'content-length': 9_000_000_000 }).write('x'),
  tiny: (response) => end(response, jpegs[0]!.subarray(0, 300)),
  html: (response) => end(response, html),
  gif: (response) => end(response, gif),
  'gzip-bomb': (response) => end(response, bomb, { 'content-encoding': 'gzip' }),
  'pixel-bomb': (response) => end(response, huge),
  truncated: (response, number) => end(response, pick(jpegs, number).subarray(0, 6000)),
  'x-robots-tag': (response, number) => end(response, pick(jpegs, number), { 'x-robots-tag': 'noai' }),
  'tdm-reservation': (response, number) => end(response, pick(jpegs, number), { 'tdm-reservation': '1' }),
  closed: status(503, { 'retry-after': '3600' }),
};

const server = createServer((request, response) => {
  response.on('error', () => undefined);
  const [, kind, number] = request.url!.split('/');
  if (request.url === '/robots.txt') {
    if (request.headers.host!.startsWith('hanging')) return;
    if (request.headers.host!.startsWith('shut')) response.end('User-agent: *\nDisallow: /\n');
    else response.writeHead(404).end();
    return;
  }
  const answer = answers[kind as Kind];
  if (answer) void answer(response, Number(number), request);
  else response.writeHead(500).end();
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));

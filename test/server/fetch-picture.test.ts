import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../src/server/app.ts';
import { type PictureFetcher, pictureFetcher } from '../../src/server/fetch-picture.ts';
import { openService, type SmallService, writeRun } from './small-service.ts';

let base: string;
let small: SmallService;
let origin: Server;
let fetcher: PictureFetcher;
const asked: string[] = [];

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-fetch-'));
  await writeRun(base);
  small = await openService(base);
  origin = createServer((request, response) => {
    asked.push(request.url!);
    if (request.url === '/robots.txt') response.end('User-agent: *\nDisallow: /private');
    else if (request.url === '/inside') response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    else if (request.url === '/large') response.writeHead(200, { 'content-length': String(33 * 1024 * 1024) }).end();
    else response.writeHead(request.url === '/gone.jpg' ? 404 : 200).end('grape date');
  });
  await new Promise<void>((listening) => origin.listen(0, '127.0.0.1', listening));
  const { port } = origin.address() as AddressInfo;
  fetcher = pictureFetcher([{ host: 'pictures.test', port: '', address: '127.0.0.1', toPort: String(port) }]);
});
afterAll(async () => {
  fetcher.close();
  origin.close();
  await small.close();
  await rm(base, { recursive: true, force: true });
});

async function searchBy(image_url: string): Promise<{ status: number; body: { message?: string } | { id: number }[] }> {
  const app = createApp({ service: { ...small.service, fetcher }, page: new Map(), cors: [], allowsHost: () => true, warn: (line) => expect.fail(line) });
  const response = await app.request('/knn-service', { method: 'POST', body: JSON.stringify({ image_url, modality: 'text', num_images: 2 }) });
  return { status: response.status, body: (await response.json()) as never };
}

test('with --fetch-image-url a picture is fetched by its address and searched by', async () => {
  expect(await searchBy('http://pictures.test/a.jpg')).toMatchObject({ status: 200, body: [{ id: 30 }, { id: 51 }] });
});

test.each([
  ['of this machine', 'http://127.0.0.1:1/a.jpg', 'private-address'],
  ['of a cloud’s metadata', 'http://169.254.169.254/latest', 'private-address'],
  ['that leads to such a one', 'http://pictures.test/inside', 'private-address'],
  ['that robots.txt forbids', 'http://pictures.test/private/a.jpg', 'robots'],
  ['of no scheme for pictures', 'file:///etc/passwd', 'url-invalid'],
  ['of something too large', 'http://pictures.test/large', 'too-large'],
  ['of nothing', 'http://pictures.test/gone.jpg', '404'],
])('an address %s is refused', async (_, url, reason) => {
  expect(await searchBy(url)).toEqual({ status: 400, body: { message: expect.stringContaining(reason) as string } });
  expect(asked).not.toContain('/private/a.jpg');
});

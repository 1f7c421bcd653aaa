import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** Serves the pictures of a folder on loopback with keep-alive: picture N of any URL `…/N.jpg`. A process of its own, whose time is not counted. */
const folder = process.argv[2]!;
const pictures = readdirSync(folder)
  .filter((name) => name.endsWith('.jpg'))
  .sort()
  .map((name) => readFileSync(join(folder, name)));

const server = createServer((request, response) => {
  const index = /(\d+)\.jpg$/.exec(request.url!)?.[1];
  if (index === undefined) {
    response.writeHead(404, { 'content-length': 0 }).end();
    return;
  }
  const picture = pictures[Number(index) % pictures.length]!;
  response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': picture.byteLength }).end(picture);
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));

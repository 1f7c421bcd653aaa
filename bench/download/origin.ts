import { readFileSync, readdirSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { hostilityOf } from './hostility.ts';

/**
 * Serves the pictures of a folder on loopback: picture N of any URL `…/N.jpg`. Three ports: HTTP with keep-alive, HTTPS that ends each connection
 * (given a key and a certificate), and TCP that accepts and never says a word. Hosts are addresses of 127.0.0.0/8; those of `hostility.ts` are
 * hostile. A process of its own, whose time is not counted.
 */
const [folder, key, cert] = process.argv.slice(2) as [string, string?, string?];
const pictures = readdirSync(folder)
  .filter((name) => name.endsWith('.jpg'))
  .sort()
  .map((name) => readFileSync(join(folder, name)));

const answer: RequestListener = (request, response) => {
  const { socket } = request;
  const index = /(\d+)\.jpg$/.exec(request.url!)?.[1];
  if (index === undefined) {
    response.writeHead(404, { 'content-length': 0 }).end();
    return;
  }
  const picture = pictures[Number(index) % pictures.length]!;
  const hostility = hostilityOf(socket.localAddress ?? '');
  if (hostility) hostility(socket, picture);
  else response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': picture.byteLength }).end(picture);
};

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) =>
    server.on('connection', (socket: Socket) => socket.on('error', () => undefined)).listen(0, () => resolve((server.address() as AddressInfo).port)),
  );
const ports = {
  http: await listen(createServer(answer)),
  https:
    key && cert
      ? await listen(
          createSecureServer({ key: readFileSync(key), cert: readFileSync(cert), sessionTimeout: 1 }, (request, response) => {
            response.shouldKeepAlive = false;
            answer(request, response);
          }),
        )
      : 0,
  silent: await listen(createTcpServer((socket) => socket.resume())),
};
console.log(JSON.stringify(ports));

import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A hub on loopback: `resolve` redirects large files to a storage path, as the public hub does. */
export class LoopbackHub {
  readonly requests: string[] = [];
  /** What was sent as `authorization`, by request. */
  readonly tokens: (string | undefined)[] = [];
  readonly files = new Map<string, Buffer>();
  /** Origin of the storage, where it is another than the hub's. */
  storage = '';
  /** Answers of the storage that break off after so many bytes. */
  breakAfter: number[] = [];
  /** The access token without which nothing is given. */
  gate = '';
  /** Bytes that are wrong in so many answers. */
  corrupt = 0;
  #server: Server | undefined;
  url = '';

  async start(): Promise<void> {
    this.#server = createServer((request, response) => {
      this.tokens.push(request.headers.authorization);
      this.requests.push(`${request.url}${request.headers.range ? ` ${request.headers.range}` : ''}`);
      if (this.gate !== '' && request.headers.authorization !== `Bearer ${this.gate}`) {
        response.writeHead(401).end();
        return;
      }
      const [, large, name] = /^\/(storage|.+\/resolve\/main)\/(.+)$/.exec(request.url!) ?? [];
      const content = this.files.get(name ?? '');
      if (!content) {
        response.writeHead(404).end();
        return;
      }
      const sha256 = createHash('sha256').update(content).digest('hex');
      if (large !== 'storage' && name!.endsWith('.onnx')) {
        response
          .writeHead(302, { location: `${this.storage}/storage/${name}`, 'x-linked-etag': `"${sha256}"`, 'x-linked-size': content.length, etag: '"something"' })
          .end();
        return;
      }
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      if (from >= content.length && from > 0) {
        response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
        return;
      }
      const gitBlob = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
      const body = Buffer.from(content.subarray(from));
      if (this.corrupt-- > 0) body[0]! ^= 1;
      const headers = { etag: `"${large === 'storage' ? 'part-of-storage' : gitBlob}"`, 'content-length': body.length };
      response.writeHead(from > 0 ? 206 : 200, from > 0 ? { ...headers, 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` } : headers);
      const limit = large === 'storage' ? this.breakAfter.shift() : undefined;
      if (limit === undefined) response.end(body);
      // Late enough for a slow client to have taken what was sent: a broken connection drops what it has not.
      else response.write(body.subarray(0, limit), () => setTimeout(() => response.destroy(), 500));
    });
    await new Promise<void>((resolve) => this.#server!.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): Promise<void> {
    this.#server!.closeAllConnections();
    return new Promise((resolve) => this.#server!.close(() => resolve()));
  }
}

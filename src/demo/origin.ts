// The origin: one server on loopback that is every host of the web, told apart by the Host header.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { readManifest } from './manifest.ts';
import { makeSender } from './origin-answers.ts';
import { readRoutes } from './routes.ts';

export interface OriginOptions {
  folder: string;
  /** Default: any free one. */
  port?: number;
  /** Each answer begins so many milliseconds late, as from far away. Default 0. */
  lateMs?: number;
}

export interface Origin {
  port: number;
  hosts: string[];
  /** curl's `--connect-to`, for every host: "HOST:80:127.0.0.1:PORT". */
  connectTo: string[];
  /** How often each absolute URL was asked for. */
  requests(): ReadonlyMap<string, number>;
  close(): Promise<void>;
}

export function connectToOrigin(hosts: readonly string[], port: number): string[] {
  return hosts.map((host) => `${host}:80:127.0.0.1:${port}`);
}

/** The URL that a request means, in the spelling that routes have; null where the request names none. */
function requestedUrl(request: IncomingMessage): string | null {
  const host = (request.headers.host ?? '').toLowerCase().replace(/:\d+$/, '');
  const target = request.url ?? '/';
  return URL.parse(target.startsWith('/') ? `http://${host}${target}` : target)?.href ?? null;
}

export interface OriginListener {
  onRequest?(url: string): void;
}

export async function startOrigin({ folder, port = 0, lateMs = 0 }: OriginOptions, { onRequest }: OriginListener = {}): Promise<Origin> {
  const [{ hosts }, routes] = await Promise.all([readManifest(folder), readRoutes(folder)]);
  const send = makeSender(folder);
  const counts = new Map<string, number>();

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = requestedUrl(request);
    if (url !== null) {
      counts.set(url, (counts.get(url) ?? 0) + 1);
      onRequest?.(url);
    }
    if (lateMs > 0) await sleep(lateMs);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const found = url === null ? undefined : routes.get(url);
    await send(response, isRead ? (found ?? { answer: 'status', status: 404 }) : { answer: 'status', status: 405 }, request.method === 'HEAD');
  }

  const server = createServer((request, response) => {
    // The same URL always has the same answer, so no clock in its header.
    response.sendDate = false;
    // A file that cannot be read is a broken web, not a missing picture: the client must not take it for a planted 404.
    respond(request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 30_000;
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;

  return {
    port: bound,
    hosts,
    connectTo: connectToOrigin(hosts, bound),
    requests: () => counts,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** What the worker thread tells. */
export type OriginMessage = { started: { port: number; hosts: string[] } } | { failed: { message: string; code?: string } } | { asked: string[] };

/** The same in a worker thread, for a process that is busy otherwise. Counts of requests arrive a moment late; after `close` they are all there. */
export async function startOriginThread(options: OriginOptions): Promise<Origin> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./origin-worker.${extension}`, import.meta.url), { workerData: options });
  const counts = new Map<string, number>();
  const exited = once(worker, 'exit');

  const { port, hosts } = await new Promise<{ port: number; hosts: string[] }>((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', (message: OriginMessage) => {
      if ('started' in message) resolve(message.started);
      else if ('failed' in message) reject(Object.assign(new Error(message.failed.message), { code: message.failed.code }));
      else for (const url of message.asked) counts.set(url, (counts.get(url) ?? 0) + 1);
    });
  });
  return {
    port,
    hosts,
    connectTo: connectToOrigin(hosts, port),
    requests: () => counts,
    close: async () => {
      worker.postMessage('close');
      await exited;
    },
  };
}

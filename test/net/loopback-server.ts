import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface LoopbackServer {
  port: number;
  /** Every request, as `HOST PATH`, in order of arrival. */
  requests: string[];
  /** Requests that were being answered at the same moment, at most. */
  mostAtOnce: number;
  server: Server;
}

/** A server on 127.0.0.1 until the test ends. */
export async function startServer(answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>): Promise<LoopbackServer> {
  const started: LoopbackServer = { port: 0, requests: [], mostAtOnce: 0, server: undefined as unknown as Server };
  let now = 0;
  started.server = createServer((request, response) => {
    started.requests.push(`${request.headers.host} ${request.url}`);
    started.mostAtOnce = Math.max(started.mostAtOnce, ++now);
    response.on('close', () => now--);
    void answer(request, response);
  });
  await new Promise<void>((resolve) => started.server.listen(0, '127.0.0.1', resolve));
  started.port = (started.server.address() as AddressInfo).port;
  onTestFinished(() => {
    started.server.closeAllConnections();
    started.server.close();
  });
  return started;
}

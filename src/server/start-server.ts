import { join } from 'node:path';
import { serve, type ServerType } from '@hono/node-server';
import { UsageError } from '../contracts/errors.ts';
import { packageRoot } from '../contracts/package-root.ts';
import { allowedHosts, isLoopback } from './allowed-hosts.ts';
import { createApp } from './app.ts';
import { portError } from './assert-port-free.ts';
import { CurrentIndex } from './current-index.ts';
import { startDevPage } from './dev-page.ts';
import { pictureFetcher } from './fetch-picture.ts';
import { Metrics } from './metrics.ts';
import { type ModelledBuild, openBuild } from './open-build.ts';
import { findServedInput } from './open-input.ts';
import type { ServeOptions } from './options.ts';
import { readPageFiles } from './page-files.ts';

export interface RunningServer {
  /** Where a browser on this machine finds it. */
  url: string;
  close(): Promise<void>;
}

export interface ServerEffects {
  /** A line for whoever runs the server: a request that failed through a fault of ours, a copy that is made. */
  warn(line: string): void;
  /** The process's environment, of which AWS's variables count. */
  environment?: Readonly<Record<string, string | undefined>>;
}

/** Opens the index and its model and listens. Throws UsageError where there is no index or the port is taken. */
export async function startServer(options: ServeOptions, effects: ServerEffects = { warn: () => undefined }): Promise<RunningServer> {
  options.cors.forEach(assertOrigin);
  const opened = await openServedIndex(options, effects);
  const fetcher = options.fetchImageUrl ? pictureFetcher() : undefined;
  try {
    const service = { indices: [opened], metrics: new Metrics(), fetcher };
    const page = await readPageFiles(join(packageRoot(), 'dist', 'web'));
    const app = createApp({ service, page, cors: options.cors, allowsHost: allowedHosts(options.host, options.allowHost), warn: effects.warn });
    const { server, port } = await listen(app.fetch, options.dev ? 0 : options.port, options.host);
    const dev = options.dev ? await startDevPage(options.port, port) : undefined;
    const host = isLoopback(options.host) || options.host === '0.0.0.0' || options.host === '::' ? 'localhost' : options.host;
    return {
      url: dev?.url ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
      async close() {
        await dev?.close();
        await new Promise<void>((done) => {
          server.close(() => done());
          // Browsers keep connections open that would keep the process.
          if ('closeAllConnections' in server) server.closeAllConnections();
        });
        fetcher?.close();
        await opened.close();
      },
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

function assertOrigin(text: string): void {
  if (text !== '*' && (!URL.canParse(text) || new URL(text).origin !== text))
    throw new UsageError(`--cors ${text} is no origin. Give SCHEME://HOST:PORT as a browser sends it, such as http://localhost:8080, or * for any.`);
}

async function openServedIndex(options: ServeOptions, { warn, environment = {} }: ServerEffects): Promise<CurrentIndex<ModelledBuild>> {
  const input = await findServedInput(options.input, options.pairs, { environment, warn });
  return CurrentIndex.open({
    version: () => input.index.version(),
    open: (before) => openBuild(input, options, environment, before),
    warn,
  });
}

function listen(fetch: (request: Request) => Response | Promise<Response>, port: number, host: string): Promise<{ server: ServerType; port: number }> {
  return new Promise((done, reject) => {
    const server = serve({ fetch, port, hostname: host }, (address) => done({ server, port: address.port }));
    server.once('error', (error) => reject(portError(error, port, host)));
  });
}

import { access } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { serve, type ServerType } from '@hono/node-server';
import { UsageError } from '../contracts/errors.ts';
import { packageRoot } from '../contracts/package-root.ts';
import { openIndex } from '../knn/open-index.ts';
import { type DualEncoder, loadModel, modelChecksums } from '../models/load-model.ts';
import { modelSettings } from '../models/model-settings.ts';
import { allowedHosts, isLoopback } from './allowed-hosts.ts';
import { createApp } from './app.ts';
import { portError } from './assert-port-free.ts';
import { startDevPage } from './dev-page.ts';
import { Metrics } from './metrics.ts';
import type { ServeOptions } from './options.ts';
import { readPageFiles } from './page-files.ts';
import { Pictures } from './pictures.ts';
import type { ServedIndex } from './served-index.ts';

export interface RunningServer {
  /** Where a browser on this machine finds it. */
  url: string;
  close(): Promise<void>;
}

export interface ServerEffects {
  /** A line about a request that failed through a fault of ours. */
  warn(line: string): void;
}

/** Opens the index and its model and listens. Throws UsageError where there is no index or the port is taken. */
export async function startServer(options: ServeOptions, effects: ServerEffects = { warn: () => undefined }): Promise<RunningServer> {
  const opened = await openServedIndex(options);
  try {
    const service = { indices: [opened], metrics: new Metrics() };
    const page = await readPageFiles(join(packageRoot(), 'dist', 'web'));
    const app = createApp({ service, page, allowsHost: allowedHosts(options.host, options.allowHost), warn: effects.warn });
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
        await opened.close();
      },
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function openServedIndex(options: ServeOptions): Promise<ServedIndex & { close(): Promise<void> }> {
  const input = resolve(options.input);
  const folder = (await exists(join(input, 'index.json'))) ? input : join(input, 'index');
  if (!(await exists(join(folder, 'index.json'))))
    throw new UsageError(`${input} holds no index (index/index.json). Make one with pairmill demo or pairmill index, or name another folder with --input.`);
  const index = await openIndex(folder);
  let encoder: DualEncoder | undefined;
  try {
    const model = options.model ?? index.description.model.id;
    encoder = await loadModel(model, modelSettings(options));
    assertSameModel(index.description.model.sha256, await modelChecksums(model, modelSettings(options)), model);
    const pictures = await Pictures.open(options.pairs ?? join(dirname(folder), 'pairs'));
    const name = basename(folder === input ? dirname(folder) : input);
    const close = async (): Promise<void> => {
      await index.close();
      await encoder?.close();
    };
    return { name, index, encoder, pictures, close };
  } catch (error) {
    await index.close();
    await encoder?.close();
    throw error;
  }
}

/** Vectors of another model, or of another version of it, have nothing to do with the index's. */
function assertSameModel(indexed: Readonly<Record<string, string>>, loaded: Readonly<Record<string, string>>, model: string): void {
  const byName = new Map(Object.entries(loaded).map(([path, sum]) => [basename(path), sum]));
  const differing = Object.entries(indexed).find(([path, sum]) => byName.has(basename(path)) && byName.get(basename(path)) !== sum);
  if (differing)
    throw new UsageError(
      `The index was built with another ${basename(differing[0])} than that of the model ${model}. Name the model that it was built with by --model, or make embeddings and index again.`,
    );
}

function listen(fetch: (request: Request) => Response | Promise<Response>, port: number, host: string): Promise<{ server: ServerType; port: number }> {
  return new Promise((done, reject) => {
    const server = serve({ fetch, port, hostname: host }, (address) => done({ server, port: address.port }));
    server.once('error', (error) => reject(portError(error, port, host)));
  });
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { serve, type ServerType } from '@hono/node-server';
import { UsageError } from '../contracts/errors.ts';
import type { IndexDescription } from '../contracts/index-description.ts';
import { packageRoot } from '../contracts/package-root.ts';
import { openIndex } from '../knn/open-index.ts';
import { loadModel, modelChecksums } from '../models/load-model.ts';
import { modelSettings } from '../models/model-settings.ts';
import { allowedHosts, isLoopback } from './allowed-hosts.ts';
import { createApp } from './app.ts';
import { portError } from './assert-port-free.ts';
import { CurrentIndex, type OpenedBuild } from './current-index.ts';
import { startDevPage } from './dev-page.ts';
import { pictureFetcher } from './fetch-picture.ts';
import { Metrics } from './metrics.ts';
import { findServedInput, type ServedInput } from './open-input.ts';
import type { ServeOptions } from './options.ts';
import { readPageFiles } from './page-files.ts';
import { PictureThread } from './picture-thread.ts';
import { Pictures } from './pictures.ts';
import type { ServedIndex } from './served-index.ts';

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

/** A model that builds of one index share. */
interface SharedModel {
  readonly encoder: NonNullable<ServedIndex['encoder']> & { close(): Promise<void> };
  users: number;
}

interface Build extends OpenedBuild {
  readonly model: SharedModel | undefined;
}

async function openServedIndex(options: ServeOptions, { warn, environment = {} }: ServerEffects): Promise<CurrentIndex<Build>> {
  const input = await findServedInput(options.input, options.pairs, { environment, warn });
  return CurrentIndex.open({
    version: () => input.index.version(),
    open: (before) => openBuild(input, options, environment, before),
    warn,
  });
}

async function openBuild(
  input: ServedInput,
  options: ServeOptions,
  environment: NonNullable<ServerEffects['environment']>,
  before: Build | undefined,
): Promise<Build> {
  const index = await openIndex(await input.index.path());
  let model: SharedModel | undefined;
  try {
    model = await modelOf(index.description, options, before);
    if (model) model.users++;
    const pictures = await Pictures.open(input.pairs, environment);
    const close = async (): Promise<void> => {
      await index.close();
      if (model) await leave(model);
    };
    return { name: input.name, index, encoder: model?.encoder, pictures, model, close };
  } catch (error) {
    await index.close();
    if (model) await leave(model);
    throw error;
  }
}

/** The model that an index was built with: that of the build before, where it is the same. Undefined where nobody says which it is. */
async function modelOf({ model: built, dimensions }: IndexDescription, options: ServeOptions, before: Build | undefined): Promise<SharedModel | undefined> {
  if (before && isDeepStrictEqual(before.index.description.model, built)) return before.model;
  const model = options.model ?? built.id;
  if (model === '') return undefined;
  assertSameModel(built.sha256, await modelChecksums(model, modelSettings(options)), model);
  const settings = modelSettings(options);
  const encoder = await loadModel(model, settings);
  // Where checksums agree it is the model.
  if (Object.keys(built.sha256).length === 0 && encoder.dimensions !== dimensions) {
    await encoder.close();
    throw new UsageError(
      `The model ${model} makes vectors of ${encoder.dimensions} values, and those of the index have ${dimensions}. Name the model that made them by --model.`,
    );
  }
  // Texts take milliseconds; pictures go to a thread of their own, and the image tower is opened there only.
  const pictures = new PictureThread({ model, settings, maxPixels: options.maxPixels });
  return {
    encoder: {
      id: encoder.id,
      encodeTexts: encoder.encodeTexts,
      encodeImages: (queries) => Promise.all(queries.map((picture) => pictures.encode(picture))),
      close: async () => void (await Promise.all([encoder.close(), pictures.close()])),
    },
    users: 0,
  };
}

async function leave(model: SharedModel): Promise<void> {
  if (--model.users === 0) await model.encoder.close();
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

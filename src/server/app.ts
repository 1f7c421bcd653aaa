import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import { messageOf } from '../contracts/errors.ts';
import { HttpError } from './http-error.ts';
import type { PageFile } from './page-files.ts';
import { imagesRoute } from './routes/images.ts';
import { indicesListRoute } from './routes/indices-list.ts';
import { knnServiceRoute } from './routes/knn-service.ts';
import { metadataRoute } from './routes/metadata.ts';
import { metricsRoute } from './routes/metrics.ts';
import { pageRoute } from './routes/page.ts';
import { searchRoute } from './routes/search.ts';
import type { Service } from './served-index.ts';

/** A picture to search by, in base64, is a third larger than its file. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

export interface AppSettings {
  service: Service;
  page: ReadonlyMap<string, PageFile>;
  /** Origins whose pages may read the answers, `*` for any; none: only our own page. */
  cors: readonly string[];
  /** Whether a Host header is one of ours. */
  allowsHost(header: string | undefined): boolean;
  /** Told of what no caller should see: a fault of ours. */
  warn(line: string): void;
}

/** The server without a socket: `app.request()` answers in tests. */
export function createApp({ service, page, cors: origins, allowsHost, warn }: AppSettings): Hono {
  const app = new Hono();
  app.use((c, next) => {
    if (!allowsHost(c.req.header('host')))
      throw new HttpError(
        403,
        `This server does not answer to the name ${JSON.stringify(c.req.header('host') ?? '')}. Call it by its address, or start it with --allow-host NAME.`,
      );
    return next();
  });
  if (origins.length > 0) app.use(cors({ origin: origins.includes('*') ? '*' : [...origins], exposeHeaders: ['X-Pairmill-Without-Effect'] }));
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new HttpError(413, `The body is larger than ${MAX_BODY_BYTES} bytes.`);
      },
    }),
  );
  app.use(async (c, next) => {
    await next();
    c.header('X-Content-Type-Options', 'nosniff');
    // Other sites can't show our pictures either, and learn from them what is here.
    c.header('Cross-Origin-Resource-Policy', origins.length > 0 ? 'cross-origin' : 'same-origin');
  });
  for (const route of [indicesListRoute, knnServiceRoute, metadataRoute, metricsRoute, imagesRoute, searchRoute]) app.route('/', route(service));
  app.route('/', pageRoute(page));
  app.notFound((c) => c.json({ message: `There is nothing at ${c.req.path}.` }, 404));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return c.json({ message: error.message }, error.status, error.status === 503 ? { 'Retry-After': '1' } : {});
    warn(`${c.req.method} ${c.req.path}: ${messageOf(error)}`);
    return c.json({ message: 'The server failed to answer this; its log says why.' }, 500);
  });
  return app;
}

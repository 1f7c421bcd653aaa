import { Hono } from 'hono';
import type { PageFile } from '../page-files.ts';

/** Scripts and styles are the page's own; pictures come from this server, else from where they were found. */
const POLICY =
  "default-src 'self'; img-src 'self' http: https: data: blob:; style-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** GET / and the files of the page. */
export function pageRoute(files: ReadonlyMap<string, PageFile>): Hono {
  return new Hono().get('*', async (c, next) => {
    const file = files.get(c.req.path);
    if (file) {
      const cache = c.req.path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
      return c.body(file.bytes, 200, {
        'Content-Type': file.type,
        'Cache-Control': cache,
        'Content-Security-Policy': POLICY,
        'Referrer-Policy': 'no-referrer',
      });
    }
    if (c.req.path === '/') return c.text('The search page is not built. In a clone, build it with: node .ci/build-web.ts\nThe API is here: /api/v1/index\n');
    await next();
  });
}

import { Hono } from 'hono';
import { HttpError } from '../http-error.ts';
import { parseHash } from '../parse-hash.ts';
import { type ServedIndex, type Service, withIndex } from '../served-index.ts';

/** GET /images/KEY and /images/hash/HASH: the packed picture, out of its tar. */
export function imagesRoute(service: Service): Hono {
  const send = async ({ pictures }: ServedIndex, key: string): Promise<Response> => {
    const picture = await service.metrics.time('picture_read_time', () => pictures?.read(key));
    if (!picture) throw new HttpError(404, `This server has no picture ${key}.`);
    // Crawled bytes: they are shown as the type they were packed as, or not at all, and run nothing.
    return new Response(picture.bytes, {
      headers: {
        'Content-Type': picture.type,
        'X-Content-Type-Options': 'nosniff',
        'Content-Security-Policy': "default-src 'none'; sandbox",
        'Cache-Control': 'private, max-age=3600',
      },
    });
  };
  return new Hono()
    .get('/images/hash/:hash{-?\\d{1,19}}', (c) =>
      withIndex(service, c.req.query('index'), async (served) => {
        const sample = await served.index.byHash(parseHash(c.req.param('hash')));
        if (!sample) throw new HttpError(404, `The index has no sample ${c.req.param('hash')}.`);
        return send(served, sample.key);
      }),
    )
    .get('/images/:key{\\d+}', (c) => withIndex(service, c.req.query('index'), (served) => send(served, c.req.param('key'))));
}

import { Hono } from 'hono';
import type { Service } from '../served-index.ts';

/** GET /indices-list and /config.json, as clip-retrieval's front end asks for them. */
export function indicesListRoute({ indices }: Service): Hono {
  return new Hono()
    .get('/indices-list', (c) => c.json(indices.map(({ name }) => name)))
    .get('/config.json', (c) => c.json({ defaultBackend: new URL(c.req.url).origin, defaultIndex: indices[0]!.name, urlColumn: 'url' }));
}

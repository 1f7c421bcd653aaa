import { Hono } from 'hono';
import type { Service } from '../served-index.ts';

/** GET /metrics */
export function metricsRoute({ metrics }: Service): Hono {
  return new Hono().get('/metrics', (c) => c.body(metrics.text(), 200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }));
}

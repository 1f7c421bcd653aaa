import type { Context } from 'hono';
import { rawJson } from '../formats/raw-json.ts';

/**
 * JSON in which a bigint is a number with all its digits: `hash` as LAION's tools read it. A parser that makes it a
 * double loses digits, so the v1 API sends strings instead.
 */
export function jsonResponse(context: Context, value: unknown): Response {
  const text = JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? rawJson(inner.toString()) : inner));
  return context.body(text, 200, { 'Content-Type': 'application/json' });
}

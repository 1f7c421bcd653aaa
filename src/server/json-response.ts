import type { Context } from 'hono';

/** Not yet in TypeScript's lib: JSON text that is written as it stands (ECMAScript 2026). */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/**
 * JSON in which a bigint is a number with all its digits: `hash` as LAION's tools read it. A parser that makes it a
 * double loses digits, so the v1 API sends strings instead.
 */
export function jsonResponse(context: Context, value: unknown): Response {
  const text = JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? rawJSON(inner.toString()) : inner));
  return context.body(text, 200, { 'Content-Type': 'application/json' });
}

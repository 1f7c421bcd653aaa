import type { Context } from 'hono';
import type { z } from 'zod';
import { HttpError } from './http-error.ts';

/** The body as JSON whatever its Content-Type: clip-retrieval's clients send none, or text/plain. */
export async function parseBody<S extends z.ZodType>(context: Context, schema: S): Promise<z.output<S>> {
  let value: unknown;
  try {
    value = JSON.parse(await context.req.text());
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new HttpError(400, `The body is not JSON: ${error.message}`);
  }
  return checked(schema, value);
}

/** A value against a schema; the first fault by name. */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new HttpError(400, `${issue!.path.join('.') || 'The request'}: ${issue!.message}`);
}

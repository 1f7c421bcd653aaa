import type { z } from 'zod';
import type { Stage } from '../contracts/stage.ts';

/** Options that can change the result: all but those declared with `decidesResult: false`. */
export function decidingOptions(stage: Stage, options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const decides = ([key]: [string, unknown]): boolean => (stage.options.shape[key] as z.ZodType | undefined)?.meta()?.decidesResult !== false;
  return Object.fromEntries(Object.entries(options).filter(decides));
}

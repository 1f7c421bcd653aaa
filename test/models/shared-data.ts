import { existsSync } from 'node:fs';
import type { TestContext } from 'vitest';

/** A path under the real data that is beside some checkouts; the test is skipped, saying so, where it is absent. */
export function requireSharedData(context: TestContext, path: string): string {
  const full = new URL(`../../../shared/data/${path}`, import.meta.url).pathname;
  if (!existsSync(full)) context.skip(`${full} is not here`);
  return full;
}

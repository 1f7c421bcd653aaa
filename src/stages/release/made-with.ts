import { basename, isAbsolute } from 'node:path';
import { z } from 'zod';
import type { DatasetState } from '../../contracts/dataset.ts';
import { stableJson } from '../../runtime/stable-json.ts';
import { isUrl } from '../../storage/location.ts';

/** With which options and models the shards of a dataset were made. */
export const MadeWith = z.object({ options: z.record(z.string(), z.unknown()), models: z.record(z.string(), z.string()) });
export type MadeWith = z.infer<typeof MadeWith>;

/**
 * The distinct makings of a dataset's shards, sorted; more than one where some were kept with --accept-changed. A location is cut
 * to its last name, since the same run elsewhere makes the same release.
 */
export function madeWith({ shards }: DatasetState): MadeWith[] {
  const found = new Map<string, MadeWith>();
  for (const { madeBy, acceptedFrom = madeBy } of shards) {
    if (!acceptedFrom) continue;
    const making = withoutLocations(acceptedFrom) as MadeWith;
    found.set(stableJson(making), making);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, making]) => making);
}

function withoutLocations(value: unknown): unknown {
  if (typeof value === 'string') return isAbsolute(value) || isUrl(value) ? basename(value) : value;
  if (Array.isArray(value)) return value.map(withoutLocations);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [withoutLocations(key), withoutLocations(inner)]),
  );
}

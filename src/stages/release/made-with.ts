import { basename, isAbsolute } from 'node:path';
import { publishedShards, stableJson } from '../../runtime/completion.ts';

/** With which options and models the shards of a stage were made, from their markers. */
export interface MadeWith {
  options: Record<string, unknown>;
  models: Record<string, string>;
}

/**
 * The distinct makings of a folder's shards, sorted; more than one where a folder was kept with --accept-changed.
 * A path is cut to its last name, since the same run in another folder makes the same release.
 */
export async function madeWith(folder: string): Promise<MadeWith[]> {
  const found = new Map<string, MadeWith>();
  for (const { made_by } of await publishedShards(folder)) {
    const making = withoutPaths({ options: made_by.options, models: made_by.models }) as MadeWith;
    found.set(stableJson(making), making);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, making]) => making);
}

function withoutPaths(value: unknown): unknown {
  if (typeof value === 'string') return isAbsolute(value) ? basename(value) : value;
  if (Array.isArray(value)) return value.map(withoutPaths);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [withoutPaths(key), withoutPaths(inner)]),
  );
}

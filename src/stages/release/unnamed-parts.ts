import { setNames } from '../../contracts/records.ts';
import type { Storage } from '../../contracts/storage.ts';

/** Names that `writeParts` gives: their UUID is of version 5, where other tools' are random ones of version 4. */
const PART = /^part-\d{5,}-[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}-c000\.snappy\.parquet$/;

/**
 * Removes parts that the manifest does not name: what a killed release had already put beside those of the one before, or had not
 * yet removed. A reader that takes every file of a set would have rows twice.
 */
export async function removeUnnamedParts(storage: Storage): Promise<void> {
  const text = await storage.readText('manifest.json');
  if (text === undefined) return;
  const named = namedParts(text);
  // Another tool's manifest, or a damaged one: what lies there is none of ours.
  if (named === undefined) return;
  for (const set of setNames) {
    for (const { name } of await storage.list(set)) if (PART.test(name) && !named.has(`${set}/${name}`)) await storage.remove(`${set}/${name}`);
  }
}

function namedParts(manifest: string): Set<string> | undefined {
  try {
    const { tool, sets } = JSON.parse(manifest) as { tool?: unknown; sets?: Record<string, { files: { path: string }[] }> };
    return tool === 'pairmill' && sets ? new Set(Object.values(sets).flatMap(({ files }) => files.map(({ path }) => path))) : undefined;
  } catch {
    return undefined;
  }
}

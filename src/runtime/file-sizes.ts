import { dirname } from 'node:path';
import type { ShardStats } from '../contracts/shard-stats.ts';
import type { Storage } from '../contracts/storage.ts';

/** Bytes of the files that there are, by name. */
export type FileSizes = Map<string, number>;

/** Sizes of the files in every folder that the markers name: a listing a folder, not a look at each file. */
export async function fileSizes(storage: Storage, markers: readonly ShardStats[]): Promise<FileSizes> {
  const folders = new Set(markers.flatMap(({ files }) => files.map(({ name }) => dirname(name))));
  const sizes: FileSizes = new Map();
  for (const folder of folders) {
    const path = folder === '.' ? '' : folder;
    for (const { name, bytes, folder: isFolder } of await storage.list(path)) if (!isFolder) sizes.set(path === '' ? name : `${path}/${name}`, bytes);
  }
  return sizes;
}

/** What does not fit the marker, or undefined. Files that were removed are no damage. */
export function damageOf({ files, removed, kept, damaged }: ShardStats, sizes: FileSizes): string | undefined {
  if (damaged !== undefined && removed === undefined) return damaged;
  for (const { name, bytes } of files) {
    if (removed !== undefined && !kept?.includes(name)) continue;
    const found = sizes.get(name);
    if (found === undefined) return `${name} is missing`;
    if (found !== bytes) return `${name} has ${found} bytes, and ${bytes} were written`;
  }
  return undefined;
}

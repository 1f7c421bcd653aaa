import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { UsageError } from '../../contracts/errors.ts';
import { fileChecksum } from '../files/file-checksum.ts';
import { findModel } from '../find-model.ts';
import { type Head, readHead } from './head.ts';
import type { HubSettings } from '../model-settings.ts';
import { claimColumn } from '../tag-column.ts';

/**
 * The files of heads: those named (a path, or the name of one in the model's `heads/` folder), else all that the model's
 * folder ships, by name. A model of the hub ships none. Throws UsageError for a name that leads nowhere.
 */
export async function headFiles(model: string, names: readonly string[] | undefined, settings: HubSettings): Promise<string[]> {
  const { source } = (await findModel(model, settings)).image;
  const shipped = 'folder' in source ? await listHeads(join(source.folder, 'heads')) : [];
  if (!names) return shipped;
  return Promise.all(
    names.map(async (name) => {
      const found = shipped.find((path) => basename(path, '.safetensors') === name);
      if (found) return found;
      const path = resolve(name);
      if (await isFile(path)) return path;
      const known = shipped.length > 0 ? `one of ${shipped.map((each) => basename(each, '.safetensors')).join(', ')}` : 'a name (this model ships no heads)';
      throw new UsageError(`There is no head ${name}: it is neither a file nor ${known}.`);
    }),
  );
}

/** sha256 of each head's file, for the fingerprint. */
export async function headChecksums(paths: readonly string[]): Promise<Record<string, string>> {
  return Object.fromEntries(await Promise.all(paths.map(async (path) => [`heads/${basename(path)}`, (await fileChecksum(path)).sha256] as const)));
}

/** Reads heads for one model. Throws UsageError where one belongs to another, or two would fill the same column. */
export async function loadHeads(model: string, paths: readonly string[], settings?: HubSettings): Promise<Head[]> {
  const entry = await findModel(model, settings);
  const heads: Head[] = [];
  const taken = new Set<string>();
  for (const path of paths) {
    const head = await readHead(path);
    const known = head.model === undefined || head.model === entry.headsFor || head.model === entry.id;
    if (!known || head.dimensions !== entry.dimensions) {
      throw new UsageError(
        `The head ${path} reads embeddings of ${head.model ?? 'a model'} (${head.dimensions} numbers), not of ${entry.id} (${entry.headsFor}, ${entry.dimensions} numbers). Leave it out of --heads, or give the --model it belongs to.`,
      );
    }
    claimColumn(taken, head.column, { what: `The head ${path}`, ofLaion: head.ofLaion, leaveOut: '--heads' });
    heads.push(head);
  }
  return heads;
}

async function listHeads(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => name.endsWith('.safetensors'))
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

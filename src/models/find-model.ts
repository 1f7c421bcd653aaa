import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UsageError } from '../contracts/errors.ts';
import type { ModelEntry } from './model-entry.ts';
import { readModelFolder } from './model-folder.ts';
import { modelIds, packagedModelFolder, registry } from './registry.ts';

/** The entry of an id, or of a local folder of the hub layout. Throws UsageError where it is neither. */
export async function findModel(idOrFolder: string): Promise<ModelEntry> {
  const entry = registry.find(({ id }) => id === idOrFolder);
  if (entry) return entry;
  const packaged = packagedModelFolder(idOrFolder);
  if (packaged) return readModelFolder(packaged, idOrFolder);
  const folder = resolve(idOrFolder);
  if (await isFolder(folder)) return readModelFolder(folder);
  throw new UsageError(`There is no model ${idOrFolder}: it is neither a folder nor one of ${modelIds.join(', ')}.`);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { UsageError } from '../contracts/errors.ts';
import { hubRepository } from './files/hub-repository.ts';
import type { ModelEntry } from './model-entry.ts';
import { bringFiles } from './model-files.ts';
import { encoderConfigs, hubEncoderFiles, readModelFolder } from './model-folder.ts';
import { type HubSettings, usualModelSettings } from './model-settings.ts';
import { modelIds, packagedModelFolder, registry } from './registry.ts';

/**
 * The entry of an id, of a local folder of the hub's layout, or of `hf://OWNER/NAME` on the hub, whose configuration is downloaded on
 * first use; a command without such options has the usual settings. Throws UsageError where it is none of these, RunError where a file can't be had.
 */
export async function findModel(name: string, settings: HubSettings = usualModelSettings()): Promise<ModelEntry> {
  const entry = registry.find(({ id }) => id === name);
  if (entry) return entry;
  const packaged = packagedModelFolder(name);
  if (packaged) return { ...(await readModelFolder(packaged, { id: name })), configuration: [] };
  const source = hubRepository(name);
  if (source) {
    const [config] = await bringFiles(source, encoderConfigs, settings, { name, files: hubEncoderFiles });
    return readModelFolder(dirname(config!.path), { source });
  }
  const folder = resolve(name);
  if (await isFolder(folder)) return readModelFolder(folder);
  const meant = hubRepository(`hf://${name}`) ? ` A repository of the hub is written hf://${name}.` : '';
  throw new UsageError(`There is no model ${name}: it is neither a folder, nor hf://OWNER/NAME on the hub, nor one of ${modelIds.join(', ')}.${meant}`);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

import { existsSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { configFiles, readClassifier } from './classifiers/classifier-config.ts';
import { classifierFiles, packagedClassifier, packagedClassifiers } from './classifiers/find-classifier.ts';
import { findModel } from './find-model.ts';
import type { FileSource } from './model-entry.ts';
import { presentOf, type PresentFiles } from './files/file-places.ts';
import { presentFiles } from './model-files.ts';
import { encoderConfigs } from './model-folder.ts';
import { kindOfFolder, type ModelKind } from './model-kind.ts';
import type { ModelSettings } from './model-settings.ts';
import { modelIds } from './registry.ts';

/** What `models list` says of a model. */
export interface ListedModel extends PresentFiles {
  /** As a command names it. */
  id: string;
  kind: ModelKind;
  /** Length of an embedding. */
  dimensions?: number;
  /** Of a classifier. */
  labels?: number;
  /** Of the pictures that it sees, in pixels. */
  side?: number;
  /** All of its files are on this machine. */
  here: boolean;
}

/** The encoders and classifiers that have an id, and the repositories of the hub whose configuration is in the cache. Nothing is fetched. */
export async function listModels(settings: ModelSettings): Promise<ListedModel[]> {
  const models: ListedModel[] = [];
  for (const id of modelIds) models.push(await encoder(id, settings));
  for (const [id, { kind }] of Object.entries(packagedClassifiers)) {
    const source = packagedClassifier(id)!;
    models.push(await classifier(id, kind, source.folder, source, settings));
  }
  for (const { id, source, folder } of await cachedRepositories(settings.cacheFolder)) {
    const kind = await kindOfFolder(folder);
    const configs = kind === 'encoder' ? encoderConfigs : configFiles[kind];
    if (!configs.every((file) => existsSync(join(folder, file)))) continue;
    models.push(kind === 'encoder' ? await encoder(id, settings) : await classifier(id, kind, folder, source, settings));
  }
  return models;
}

async function encoder(id: string, settings: ModelSettings): Promise<ListedModel> {
  const entry = await findModel(id, settings);
  const files = await presentFiles(entry, settings);
  return { id, kind: 'encoder', dimensions: entry.dimensions, side: entry.image.preprocessing.size, here: files.missing.length === 0, ...files };
}

async function classifier(id: string, kind: 'pictures' | 'texts', folder: string, source: FileSource, settings: ModelSettings): Promise<ListedModel> {
  const { labels, input } = await readClassifier(folder, kind, { name: id, source, file: '' });
  const files = await presentOf(classifierFiles(source, kind, settings));
  const side = input.kind === 'pictures' ? { side: input.preprocessing.size } : {};
  return { id, kind, labels, ...side, here: files.missing.length === 0, ...files };
}

/** Repositories of the hub with a config.json in the cache, in the order of their names. */
async function cachedRepositories(cacheFolder: string): Promise<{ id: string; source: FileSource; folder: string }[]> {
  const found: string[] = [];
  for await (const path of glob('*/*/*/config.json', { cwd: cacheFolder })) found.push(path);
  return found.sort().map((path) => {
    const [owner, name, revision] = path.split('/') as [string, string, string];
    const repository = `${owner}/${name}`;
    return {
      id: `hf://${repository}${revision === 'main' ? '' : `@${revision}`}`,
      source: { repository, revision },
      folder: join(cacheFolder, repository, revision),
    };
  });
}

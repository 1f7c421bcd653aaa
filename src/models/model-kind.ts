import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { ClassifierInput } from './classifiers/classifier.ts';
import { configFiles } from './classifiers/classifier-config.ts';
import { packagedClassifiers } from './classifiers/find-classifier.ts';
import { hubRepository } from './files/hub-repository.ts';
import { readModelConfig } from './model-config.ts';
import { checkedFile } from './files/checked-file.ts';
import { placeOf, withPlaces } from './files/file-places.ts';
import { encoderConfigs, hubEncoderFiles } from './model-folder.ts';
import type { HubSettings } from './model-settings.ts';

/** What a name stands for: a model of two towers, or a classifier of pictures or of texts. */
export type ModelKind = 'encoder' | ClassifierInput['kind'];

const Config = z.looseObject({ architectures: z.array(z.string()).nullish(), id2label: z.record(z.string(), z.unknown()).optional() });

/**
 * The kind of an id, a folder or `hf://OWNER/NAME`, by its config.json; that of the hub is downloaded on first use. An encoder where nothing
 * says otherwise. Throws RunError where the hub does not give it, naming the files of every kind.
 */
export async function modelKind(name: string, settings: HubSettings): Promise<ModelKind> {
  const packaged = packagedClassifiers[name];
  if (packaged) return packaged.kind;
  const source = hubRepository(name);
  if (!source) return existsSync(join(resolve(name), 'config.json')) ? kindOfFolder(resolve(name)) : 'encoder';
  try {
    const { path } = await checkedFile(source, 'config.json', settings);
    return await kindOfFolder(dirname(path), async (file) => (await checkedFile(source, file, settings).catch(() => undefined)) !== undefined);
  } catch (error) {
    const filesOf = (names: readonly string[]) => names.map((file) => placeOf(source, file, settings));
    throw await withPlaces(
      error,
      [
        { of: 'of an encoder of pictures and texts (CLIP, SigLIP)', files: filesOf([...encoderConfigs, ...hubEncoderFiles]) },
        { of: 'of a classifier of pictures', files: filesOf([...configFiles.pictures, 'onnx/model.onnx']) },
        { of: 'of a classifier of texts', files: filesOf([...configFiles.texts, 'onnx/model.onnx']) },
      ],
      [name],
    );
  }
}

/** By transformers' name of the architecture; where there is none, a classifier has labels, and one of pictures a preprocessor_config.json. */
export async function kindOfFolder(
  folder: string,
  has: (file: string) => Promise<boolean> | boolean = (file) => existsSync(join(folder, file)),
): Promise<ModelKind> {
  const { architectures, id2label } = await readModelConfig(folder, 'config.json', Config);
  for (const name of architectures ?? []) {
    if (name.endsWith('ForImageClassification')) return 'pictures';
    if (name.endsWith('ForSequenceClassification')) return 'texts';
  }
  if (id2label === undefined) return 'encoder';
  return (await has('preprocessor_config.json')) ? 'pictures' : 'texts';
}

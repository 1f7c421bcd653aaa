import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from '../../contracts/errors.ts';
import { packageRoot } from '../../contracts/package-root.ts';
import type { Classifier, ClassifierInput } from './classifier.ts';
import { configFiles, readClassifier } from './classifier-config.ts';
import { hubRepository } from '../files/hub-repository.ts';
import { type CheckedFile, checkedFile } from '../files/checked-file.ts';
import { type ModelFile, placeOf, withPlaces } from '../files/file-places.ts';
import type { FileSource } from '../model-entry.ts';
import type { ModelSettings } from '../model-settings.ts';

type Settings = Pick<ModelSettings, 'cacheFolder' | 'hubUrl' | 'hubToken' | 'precision'>;

/** A classifier whose files are here and checked. */
export interface FoundClassifier {
  classifier: Classifier;
  /** Of its configuration. */
  folder: string;
  /** Of its ONNX file. */
  path: string;
  /** Of tokenizer.json, of a classifier of texts. */
  tokenizer: string | undefined;
  /** sha256 by the name under which the fingerprint of a stage knows the file. */
  checksums: Record<string, string>;
  /** Of all files together. */
  bytes: number;
}

/** Classifiers that are part of the package. */
export const packagedClassifiers: Readonly<Record<string, { kind: ClassifierInput['kind']; folder: string }>> = {
  nsfw_pixels: { kind: 'pictures', folder: 'nsfw-pixels' },
};

/**
 * The classifier of an id, a folder, or `hf://OWNER/NAME` on the hub, whose files are downloaded on first use. Throws UsageError where
 * there is none or it is not of this kind, RunError where a file can't be had or is damaged.
 */
export async function findClassifier(
  name: string,
  kind: ClassifierInput['kind'],
  settings: Settings,
  brought: (file: string, bytes: number) => void = () => undefined,
): Promise<FoundClassifier> {
  const source = sourceOf(name, kind);
  const checksums: Record<string, string> = {};
  let bytes = 0;
  const bring = async (file: string): Promise<CheckedFile> => {
    const found = await checkedFile(source, file, settings);
    checksums[file] = found.checksum.sha256;
    const { size } = await stat(found.path);
    bytes += size;
    brought(file, size);
    for (const external of found.checksum.externalData) await bring(join(dirname(file), external));
    return found;
  };
  try {
    const configs: CheckedFile[] = [];
    for (const file of namedFiles(source, kind)) configs.push(await bring(file));
    const folder = dirname(configs[0]!.path);
    const onnx = onnxFile(source, settings);
    const id = 'folder' in source ? basename(folder) : basename(source.repository);
    const classifier = await readClassifier(folder, kind, { name: id, source, file: onnx });
    const { path } = await bring(onnx);
    const tokenizer = kind === 'texts' ? configs[1]!.path : undefined;
    return {
      classifier,
      folder,
      path,
      tokenizer,
      checksums: Object.fromEntries(Object.entries(checksums).map(([file, sha256]) => [`${classifier.id}/${file}`, sha256])),
      bytes,
    };
  } catch (error) {
    throw await withPlaces(error, [{ files: classifierFiles(source, kind, settings) }], [name]);
  }
}

/** The files of a classifier, each with its place on this machine and, of the hub, where it is fetched from. */
export function classifierFiles(source: FileSource, kind: ClassifierInput['kind'], settings: Settings): ModelFile[] {
  return [...namedFiles(source, kind), onnxFile(source, settings)].map((file) => placeOf(source, file, settings));
}

function sourceOf(name: string, kind: ClassifierInput['kind']): FileSource {
  const packaged = packagedClassifiers[name];
  if (packaged && packaged.kind !== kind) throw new UsageError(`${name} classifies ${packaged.kind} and not ${kind}. Give it to ${optionOf[packaged.kind]}.`);
  if (packaged) return packagedClassifier(name)!;
  const repository = hubRepository(name);
  if (repository) return repository;
  const folder = resolve(name);
  if (existsSync(join(folder, 'config.json'))) return { folder };
  const ids = Object.entries(packagedClassifiers).flatMap(([id, each]) => (each.kind === kind ? [`one of the package (${id})`] : []));
  throw new UsageError(
    `There is no classifier of ${kind} ${name}: it is neither ${[...ids, 'a folder with a config.json'].join(', nor ')}, nor hf://OWNER/NAME on the hub. docs/models.md says what such a folder holds.`,
  );
}

/** The option of tag that takes classifiers of a kind. */
export const optionOf = { pictures: '--image-models', texts: '--text-models' } as const;

/** Where the files of a classifier of the package are; undefined for every other name. */
export function packagedClassifier(id: string): { folder: string } | undefined {
  const known = packagedClassifiers[id];
  return known && { folder: join(packageRoot(), 'models', known.folder) };
}

/** All of the configuration; of a folder without those that only the hub always has. */
function namedFiles(source: FileSource, kind: ClassifierInput['kind']): string[] {
  if (!('folder' in source)) return [...configFiles[kind]];
  const optional = 'tokenizer_config.json';
  const present = existsSync(join(source.folder, optional));
  return configFiles[kind].filter((file) => file !== optional || present);
}

/** The ONNX file of a precision, as transformers.js names them. */
function onnxFile(source: FileSource, { precision }: Settings): string {
  const names = precision === 'int8' ? ['model_quantized.onnx', 'model_int8.onnx'] : ['model.onnx'];
  if (!('folder' in source)) return `onnx/${names[0]}`;
  const files = names.flatMap((name) => [name, `onnx/${name}`]);
  for (const file of files) if (existsSync(join(source.folder, file))) return file;
  throw new UsageError(`The folder ${source.folder} has none of ${files.join(', ')}. docs/models.md says what the folder of a classifier holds.`);
}

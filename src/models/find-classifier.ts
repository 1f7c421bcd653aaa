import { access } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from '../contracts/errors.ts';
import { packageRoot } from '../contracts/package-root.ts';
import type { Classifier, ClassifierInput } from './classifier.ts';
import { configFiles, readClassifier } from './classifier-config.ts';
import { type CheckedFile, checkedFile, placeOf, withPlaces } from './model-files.ts';
import type { FileSource } from './model-entry.ts';
import type { ModelSettings } from './model-settings.ts';

type Settings = Pick<ModelSettings, 'cacheFolder' | 'hubUrl' | 'hubToken' | 'precision'>;

/** A classifier whose files are here and checked. */
export interface FoundClassifier {
  classifier: Classifier;
  /** Of its ONNX file. */
  path: string;
  /** Of tokenizer.json, of a classifier of texts. */
  tokenizer: string | undefined;
  /** sha256 by the name under which the fingerprint of a stage knows the file. */
  checksums: Record<string, string>;
}

/** Classifiers that are part of the package. */
const packaged: Readonly<Record<string, { kind: ClassifierInput['kind']; folder: string }>> = { nsfw_pixels: { kind: 'pictures', folder: 'nsfw-pixels' } };

/** A repository of the hub, as its own tools write it. */
const HUB = /^hf:\/\/([\w.-]+\/[\w.-]+)(?:@([\w.-]+))?$/;

/**
 * The classifier of an id, a folder, or `hf://OWNER/NAME` on the hub, whose files are downloaded on first use. Throws UsageError where
 * there is none or it is not of this kind, RunError where a file can't be had or is damaged.
 */
export async function findClassifier(name: string, kind: ClassifierInput['kind'], settings: Settings): Promise<FoundClassifier> {
  const source = await sourceOf(name, kind);
  const checksums: Record<string, string> = {};
  const bring = async (file: string): Promise<CheckedFile> => {
    const found = await checkedFile(source, file, settings);
    checksums[file] = found.checksum.sha256;
    for (const external of found.checksum.externalData) await bring(join(dirname(file), external));
    return found;
  };
  try {
    const configs: CheckedFile[] = [];
    for (const file of await namedFiles(source, kind)) configs.push(await bring(file));
    const folder = dirname(configs[0]!.path);
    const onnx = await onnxFile(source, settings);
    const id = 'folder' in source ? basename(folder) : source.repository.split('/')[1]!;
    const classifier = await readClassifier(folder, kind, { name: id, source, file: onnx });
    const { path } = await bring(onnx);
    const tokenizer = kind === 'texts' ? configs[1]!.path : undefined;
    return {
      classifier,
      path,
      tokenizer,
      checksums: Object.fromEntries(Object.entries(checksums).map(([file, sha256]) => [`${classifier.id}/${file}`, sha256])),
    };
  } catch (error) {
    const files = [...configFiles[kind], await onnxFile(source, settings)];
    throw await withPlaces(
      error,
      name,
      files.map((file) => placeOf(source, file, settings)),
      'Then give the same command again.',
    );
  }
}

async function sourceOf(name: string, kind: ClassifierInput['kind']): Promise<FileSource> {
  const known = packaged[name];
  if (known?.kind === kind) return { folder: join(packageRoot(), 'models', known.folder) };
  const [, repository, revision = 'main'] = HUB.exec(name) ?? [];
  if (repository !== undefined) return { repository, revision };
  const folder = resolve(name);
  if (await isThere(join(folder, 'config.json'))) return { folder };
  const ids = Object.entries(packaged).flatMap(([id, each]) => (each.kind === kind ? [`one of the package (${id})`] : []));
  throw new UsageError(
    `There is no classifier of ${kind} ${name}: it is neither ${[...ids, 'a folder with a config.json'].join(', nor ')}, nor hf://OWNER/NAME on the hub. docs/models.md says what such a folder holds.`,
  );
}

/** All of the configuration; of a folder without those that only the hub always has. */
async function namedFiles(source: FileSource, kind: ClassifierInput['kind']): Promise<string[]> {
  if (!('folder' in source)) return [...configFiles[kind]];
  const optional = 'tokenizer_config.json';
  const present = await isThere(join(source.folder, optional));
  return configFiles[kind].filter((file) => file !== optional || present);
}

/** The ONNX file of a precision, as transformers.js names them. */
async function onnxFile(source: FileSource, { precision }: Settings): Promise<string> {
  const names = precision === 'int8' ? ['model_quantized.onnx', 'model_int8.onnx'] : ['model.onnx'];
  if (!('folder' in source)) return `onnx/${names[0]}`;
  const files = names.flatMap((name) => [name, `onnx/${name}`]);
  for (const file of files) if (await isThere(join(source.folder, file))) return file;
  throw new UsageError(`The folder ${source.folder} has none of ${files.join(', ')}. docs/models.md says what the folder of a classifier holds.`);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CheckedFile, checkedFile } from './files/checked-file.ts';
import { type ModelFile, placeOf, type PresentFiles, presentOf, withPlaces } from './files/file-places.ts';
import type { FileSource, ModelEntry } from './model-entry.ts';
import type { HubSettings, ModelSettings } from './model-settings.ts';

/** The files of a model on this machine, each checked. */
export interface ModelFiles {
  vision: string;
  text: string;
  tokenizer: string;
  projection?: string | undefined;
  /** sha256 by the name under which the fingerprint of a stage knows the file. */
  checksums: Record<string, string>;
  /** Of all files together. */
  bytes: number;
}

/**
 * Brings a model's files here and checks them: those of the hub against the checksum with which they were downloaded,
 * those of a folder against its checksums.json where it has one. `together`: the models that are needed with it, whose files are named too
 * where one can't be had. Throws RunError naming a file that is damaged.
 */
export async function modelFiles(
  entry: ModelEntry,
  settings: ModelSettings,
  brought: (file: string, bytes: number) => void = () => undefined,
  together: readonly ModelEntry[] = [entry],
): Promise<ModelFiles> {
  const checksums: Record<string, string> = {};
  let bytes = 0;
  const { id, image, text, configuration = [] } = entry;
  const bring = async (source: FileSource, file: string): Promise<string> => {
    let found: CheckedFile;
    try {
      found = await checkedFile(source, file, settings);
    } catch (error) {
      throw await withPlaces(error, [{ files: together.flatMap((each) => filesOf(each, settings)) }], together.map(nameOf));
    }
    const { path, checksum } = found;
    checksums[`${id}/${file}`] = checksum.sha256;
    const { size } = await stat(path);
    bytes += size;
    brought(file, size);
    for (const name of checksum.externalData) await bring(source, join(dirname(file), name));
    return path;
  };
  for (const file of configuration) await bring(image.source, file);
  return {
    vision: await bring(image.source, image.file),
    text: await bring(text.source, text.file),
    tokenizer: await bring(text.source, text.tokenizer),
    projection: text.projection === undefined ? undefined : await bring(text.source, text.projection),
    checksums,
    bytes,
  };
}

/** The files of a model, each with its place on this machine and, of the hub, where it is fetched from. Files beside an ONNX file that hold weights are known only when that is here. */
function filesOf({ image, text, configuration = [] }: ModelEntry, settings: ModelSettings): ModelFile[] {
  const all: [FileSource, string | undefined][] = [
    ...configuration.map((file): [FileSource, string] => [image.source, file]),
    [image.source, image.file],
    [text.source, text.file],
    [text.source, text.tokenizer],
    [text.source, text.projection],
  ];
  return all.flatMap(([source, file]) => (file === undefined ? [] : [placeOf(source, file, settings)]));
}

/** As a command names it. */
function nameOf({ id, image: { source }, configuration }: ModelEntry): string {
  if ('folder' in source) return source.folder;
  return configuration === undefined ? id : `hf://${source.repository}${source.revision === 'main' ? '' : `@${source.revision}`}`;
}

/** Which files of a model are on this machine; nothing is fetched. */
export function presentFiles(entry: ModelEntry, settings: ModelSettings): Promise<PresentFiles> {
  return presentOf(filesOf(entry, settings));
}

/**
 * Brings some files of a source here. `others`: those that the model has beside these, named with them where one can't be had. Throws as
 * `checkedFile`.
 */
export async function bringFiles(
  source: FileSource,
  files: readonly string[],
  settings: HubSettings,
  { name, files: others }: { name: string; files: readonly string[] },
): Promise<CheckedFile[]> {
  try {
    const found: CheckedFile[] = [];
    for (const file of files) found.push(await checkedFile(source, file, settings));
    return found;
  } catch (error) {
    throw await withPlaces(error, [{ files: [...files, ...others].map((file) => placeOf(source, file, settings)) }], [name]);
  }
}

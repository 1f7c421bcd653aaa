import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RunError } from '../../contracts/errors.ts';
import type { FileSource } from '../model-entry.ts';
import type { HubSettings } from '../model-settings.ts';
import { DownloadError, hubAddress } from './hub-download.ts';

/** Where a file of a model lies on this machine, or is to lie. */
export interface ModelFile {
  path: string;
  /** Of a file of the hub. */
  url: string | undefined;
}

/** Where a file lies on this machine once it is here and, of the hub, where it is fetched from. */
export function placeOf(source: FileSource, file: string, { cacheFolder, hubUrl }: HubSettings): ModelFile {
  if ('folder' in source) return { path: join(source.folder, file), url: undefined };
  return { path: join(cacheFolder, source.repository, source.revision, file), url: hubAddress({ hubUrl, ...source, file }) };
}

/** Which files of a model are on this machine, and their bytes; nothing is fetched. */
export interface PresentFiles {
  present: string[];
  missing: string[];
  bytes: number;
}

/** Which of the files are on this machine, and their bytes; nothing is fetched. */
export async function presentOf(files: readonly ModelFile[]): Promise<PresentFiles> {
  const found = await Promise.all(files.map(async ({ path }) => ({ path, size: (await stat(path).catch(() => undefined))?.size })));
  return {
    present: found.filter(({ size }) => size !== undefined).map(({ path }) => path),
    missing: found.filter(({ size }) => size === undefined).map(({ path }) => path),
    bytes: found.reduce((sum, { size = 0 }) => sum + size, 0),
  };
}

/** Files to put by hand; `of`: of what kind the model is whose files they are, where that is not known. */
export interface FilesByHand {
  of?: string;
  files: readonly ModelFile[];
}

/** A failed download of a model's file, with what can be done without the hub: which files to put where. `names`: as a command names the models. */
export async function withPlaces(error: unknown, groups: readonly FilesByHand[], names: readonly string[]): Promise<unknown> {
  if (!(error instanceof DownloadError)) return error;
  const lines: string[] = [];
  for (const { of, files } of groups) {
    const { missing } = await presentOf(files);
    if (of !== undefined) lines.push(`${of}:`);
    // Models may share a file.
    const places = files.filter(({ path }) => missing.includes(path)).map(({ path, url }) => `  ${url} -> ${path}`);
    lines.push(...new Set(places));
  }
  return new RunError(
    [
      error.message,
      `Without the hub, ${names.length === 1 ? `the model ${names[0]} works` : `the models ${names.join(' and ')} work`} where these files are put by hand:`,
      ...lines,
      `with the files beside them that end in .onnx_data, where the repository has any. Then \`pairmill models verify ${names.join(' ')}\` says whether all is well.`,
    ].join('\n'),
    { cause: error },
  );
}

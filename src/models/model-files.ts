import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { RunError, systemCode } from '../contracts/errors.ts';
import { type FileChecksum, fileChecksum } from './file-checksum.ts';
import { DownloadError, downloadFromHub, hubAddress } from './hub-download.ts';
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
 * those of a folder against its checksums.json where it has one. Throws RunError naming a file that is damaged.
 */
export async function modelFiles(
  entry: ModelEntry,
  settings: ModelSettings,
  brought: (file: string, bytes: number) => void = () => undefined,
): Promise<ModelFiles> {
  const checksums: Record<string, string> = {};
  let bytes = 0;
  const { id, image, text, configuration = [] } = entry;
  const bring = async (source: FileSource, file: string): Promise<string> => {
    let found: CheckedFile;
    try {
      found = await checkedFile(source, file, settings);
    } catch (error) {
      throw await withPlaces(error, [{ files: filesOf(entry, settings) }], nameOf(entry));
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

export interface ModelFile {
  path: string;
  /** Of a file of the hub. */
  url: string | undefined;
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

/** Which files of a model are on this machine, and their bytes; nothing is fetched. */
export interface PresentFiles {
  present: string[];
  missing: string[];
  bytes: number;
}

export function presentFiles(entry: ModelEntry, settings: ModelSettings): Promise<PresentFiles> {
  return presentOf(filesOf(entry, settings));
}

export async function presentOf(files: readonly ModelFile[]): Promise<PresentFiles> {
  const found = await Promise.all(files.map(async ({ path }) => ({ path, size: (await statOf(path))?.size })));
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

/** A failed download of a model's file, with what can be done without the hub: which files to put where. `name`: as a command names the model. */
export async function withPlaces(error: unknown, groups: readonly FilesByHand[], name: string): Promise<unknown> {
  if (!(error instanceof DownloadError)) return error;
  const lines: string[] = [];
  for (const { of, files } of groups) {
    const { missing } = await presentOf(files);
    if (of !== undefined) lines.push(`${of}:`);
    for (const { path, url } of files) if (missing.includes(path)) lines.push(`  ${url} -> ${path}`);
  }
  return new RunError(
    [
      error.message,
      `Without the hub, the model ${name} works where these files are put by hand:`,
      ...lines,
      `with the files beside them that end in .onnx_data, where the repository has any. Then \`pairmill models verify ${name}\` says whether all is well.`,
    ].join('\n'),
    { cause: error },
  );
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
    throw await withPlaces(error, [{ files: [...files, ...others].map((file) => placeOf(source, file, settings)) }], name);
  }
}

/** A file with what is known of it. */
export interface CheckedFile {
  path: string;
  checksum: Pick<FileChecksum, 'sha256' | 'externalData'>;
}

/** One file of a source, fetched where it is not here. Throws RunError where it can't be had or is damaged. */
export function checkedFile(source: FileSource, file: string, settings: HubSettings): Promise<CheckedFile> {
  return 'folder' in source ? localFile(source.folder, file) : cachedFile(source, file, settings);
}

/** Where a file lies on this machine once it is here and, of the hub, where it is fetched from. */
export function placeOf(source: FileSource, file: string, { cacheFolder, hubUrl }: HubSettings): ModelFile {
  if ('folder' in source) return { path: join(source.folder, file), url: undefined };
  return { path: join(cacheFolder, source.repository, source.revision, file), url: hubAddress({ hubUrl, ...source, file }) };
}

async function localFile(folder: string, file: string): Promise<CheckedFile> {
  const path = join(folder, file);
  const known = await checksumsOf(folder);
  let checksum: FileChecksum;
  try {
    checksum = await fileChecksum(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new RunError(`The model file ${path} is missing. Restore it, or give another --model.`);
  }
  const expected = known[file];
  if (expected !== undefined && expected !== checksum.sha256)
    throw damaged(
      path,
      checksum.sha256,
      expected,
      'Restore the file (install Pairmill again where it is part of the package), correct checksums.json where you changed it yourself, or name another model.',
    );
  return { path, checksum };
}

async function checksumsOf(folder: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(join(folder, 'checksums.json'), 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}

/** Kept beside a downloaded file: what it was when it came, and when it was last found so. */
interface Receipt {
  sha256: string;
  bytes: number;
  externalData: string[];
  /** Modification time at the last full check: a file that is unchanged since is not read again. */
  modifiedMs: number;
}

async function cachedFile(
  source: { repository: string; revision: string },
  file: string,
  { cacheFolder, hubUrl, hubToken }: HubSettings,
): Promise<CheckedFile> {
  const path = join(cacheFolder, source.repository, source.revision, file);
  const receiptPath = `${path}.receipt.json`;
  const receipt = await readReceipt(receiptPath);
  const present = await statOf(path);
  if (present && receipt) {
    if (present.size !== receipt.bytes)
      throw damaged(path, `${present.size} bytes`, `${receipt.bytes} bytes`, 'Remove it and start the same command again: it is then downloaded anew.');
    if (present.mtimeMs === receipt.modifiedMs) return { path, checksum: receipt };
  }
  // Put there by hand, or touched since.
  const checksum = present ? await fileChecksum(path) : await downloadFromHub({ hubUrl, token: hubToken, ...source, file }, path);
  if (present && receipt && checksum.sha256 !== receipt.sha256)
    throw damaged(path, checksum.sha256, receipt.sha256, 'Remove it and start the same command again: it is then downloaded anew.');
  const now = await stat(path);
  await writeReceipt(receiptPath, { sha256: checksum.sha256, bytes: checksum.bytes, externalData: checksum.externalData, modifiedMs: now.mtimeMs });
  return { path, checksum };
}

function damaged(path: string, found: string, expected: string, next: string): RunError {
  return new RunError(`The model file ${path} is damaged: it has ${found} where ${expected} is expected. ${next}`);
}

async function readReceipt(path: string): Promise<Receipt | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Receipt;
  } catch {
    return undefined;
  }
}

async function writeReceipt(path: string, receipt: Receipt): Promise<void> {
  // Named by process and thread: several may check the same cache at the same time.
  const temporary = `${path}.${process.pid}-${threadId}.tmp`;
  try {
    await writeFile(temporary, `${JSON.stringify(receipt)}\n`);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    // A cache that may only be read works, it is just checked each time.
    if (systemCode(error) !== 'EACCES' && systemCode(error) !== 'EROFS') throw error;
  }
}

async function statOf(path: string): Promise<{ size: number; mtimeMs: number } | undefined> {
  try {
    return await stat(path);
  } catch {
    return undefined;
  }
}

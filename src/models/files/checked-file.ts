import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RunError, systemCode } from '../../contracts/errors.ts';
import type { FileSource } from '../model-entry.ts';
import type { HubSettings } from '../model-settings.ts';
import { keepInCache, readFromCache } from './cache-record.ts';
import { type FileChecksum, fileChecksum } from './file-checksum.ts';
import { placeOf } from './file-places.ts';
import { downloadFromHub } from './hub-download.ts';

/** A file with what is known of it. */
export interface CheckedFile {
  path: string;
  checksum: Pick<FileChecksum, 'sha256' | 'externalData'>;
}

/** One file of a source, fetched where it is not here. Throws RunError where it can't be had or is damaged. */
export function checkedFile(source: FileSource, file: string, settings: HubSettings): Promise<CheckedFile> {
  return 'folder' in source ? localFile(source.folder, file) : cachedFile(source, file, settings);
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

async function cachedFile(source: { repository: string; revision: string }, file: string, settings: HubSettings): Promise<CheckedFile> {
  const { path } = placeOf(source, file, settings);
  const receiptPath = `${path}.receipt.json`;
  const receipt = await readFromCache<Receipt>(receiptPath);
  const present = await stat(path).catch(() => undefined);
  if (present && receipt) {
    if (present.size !== receipt.bytes)
      throw damaged(path, `${present.size} bytes`, `${receipt.bytes} bytes`, 'Remove it and start the same command again: it is then downloaded anew.');
    if (present.mtimeMs === receipt.modifiedMs) return { path, checksum: receipt };
  }
  // Put there by hand, or touched since.
  const checksum = present ? await fileChecksum(path) : await downloadFromHub({ hubUrl: settings.hubUrl, token: settings.hubToken, ...source, file }, path);
  if (present && receipt && checksum.sha256 !== receipt.sha256)
    throw damaged(path, checksum.sha256, receipt.sha256, 'Remove it and start the same command again: it is then downloaded anew.');
  const now = await stat(path);
  const { sha256, bytes, externalData } = checksum;
  await keepInCache(receiptPath, { sha256, bytes, externalData, modifiedMs: now.mtimeMs } satisfies Receipt);
  return { path, checksum };
}

function damaged(path: string, found: string, expected: string, next: string): RunError {
  return new RunError(`The model file ${path} is damaged: it has ${found} where ${expected} is expected. ${next}`);
}

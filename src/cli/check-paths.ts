import { constants } from 'node:fs';
import { access, opendir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode, UsageError } from '../contracts/errors.ts';
import { isUrl } from '../storage/location.ts';
import { fileSystemError } from './file-system-error.ts';

/** What people get wrong about paths, found before any work. `flag` is where the path was given. URLs are left to the storage. */

/** Throws UsageError where no folder can be written at the path: it need not exist yet. */
export async function assertWritableFolder(path: string, flag: string): Promise<void> {
  if (isUrl(path)) return;
  const info = await infoOf(path);
  if (info && !info.isDirectory()) throw new UsageError(`${flag}: ${path} is a file where a folder is meant. Name a folder, or a path that is not there yet.`);
  let folder = path;
  while ((await infoOf(folder)) === undefined && dirname(folder) !== folder) folder = dirname(folder);
  if (!(await infoOf(folder))?.isDirectory()) throw new UsageError(`${flag}: ${path} can't be made, because ${folder} is a file. Name a folder elsewhere.`);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const why = systemCode(error) === 'EROFS' ? 'it lies on a read-only file system' : `this user may not write to ${folder}`;
    throw new UsageError(`${flag}: ${path} can't be written: ${why}. Name a folder that you may write to.`, { cause: error });
  }
}

/** Throws UsageError where there is no folder at the path, or one that can't be read. */
export async function assertReadableFolder(path: string, flag: string): Promise<void> {
  if (isUrl(path)) return;
  const info = await infoOf(path);
  if (info === undefined) throw missing(path, flag);
  if (!info.isDirectory()) throw new UsageError(`${flag}: ${path} is a file where a folder is meant. Name the folder that it lies in.`);
  await assertListed(path, flag);
}

/** The same for paths and patterns, separated by commas: a file is right, and so is a folder that can be read. */
export async function assertReadablePaths(paths: string, flag: string): Promise<void> {
  for (const path of paths.split(',')) {
    if (isUrl(path)) continue;
    const pattern = /[*?[{]/.test(path);
    const info = await infoOf(path).catch((error: unknown) => {
      if (pattern) return undefined;
      throw error;
    });
    if (info === undefined && !pattern) throw missing(path, flag);
    if (info?.isFile()) await readable(access(path, constants.R_OK), path, flag);
    // A pattern finds nothing in a folder that it can't read, and says nothing of it.
    const folder = info === undefined ? folderBefore(path) : path;
    if ((await infoOf(folder))?.isDirectory()) await assertListed(folder, flag);
  }
}

function missing(path: string, flag: string): UsageError {
  return new UsageError(`${flag}: there is no ${path}. Check the path; a relative one begins at ${process.cwd()}.`);
}

/** The folder of a pattern: what stands before its first special character. */
function folderBefore(pattern: string): string {
  return dirname(`${pattern.slice(0, pattern.search(/[*?[{]/))}x`);
}

async function assertListed(folder: string, flag: string): Promise<void> {
  await readable(
    opendir(folder).then((open) => open.close()),
    folder,
    flag,
  );
}

async function readable(work: Promise<unknown>, path: string, flag: string): Promise<void> {
  try {
    await work;
  } catch (error) {
    throw new UsageError(
      `${flag}: ${path} can't be read: ${systemCode(error) === 'EACCES' ? 'permission denied' : String(error)}. Check who may read it (ls -ld shows it).`,
      {
        cause: error,
      },
    );
  }
}

/** Undefined where there is nothing. */
async function infoOf(path: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw fileSystemError(error) ?? error;
  }
}

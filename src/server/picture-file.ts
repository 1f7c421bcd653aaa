import { readFile, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, sep } from 'node:path';
import { systemCode } from '../contracts/errors.ts';

/** A picture's own file, by its path: from the folder, from where that lies (`photos/a.jpg` of `photos/`), or absolute; never outside of it. */
export async function readPictureFile(within: string, path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (path.includes('\0')) return undefined;
  const folder = await realpath(within);
  for (const candidate of isAbsolute(path) ? [path] : [join(folder, path), join(dirname(folder), path)]) {
    try {
      // Links are followed first: one that leads out of the folder is none of its pictures.
      const file = await realpath(candidate);
      if (file.startsWith(folder + sep)) return new Uint8Array(await readFile(file));
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) throw error;
    }
  }
  return undefined;
}

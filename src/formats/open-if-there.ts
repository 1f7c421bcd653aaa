import { type FileHandle, open } from 'node:fs/promises';
import { systemCode } from '../contracts/errors.ts';

/** A file opened to be read; undefined where there is none. */
export async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

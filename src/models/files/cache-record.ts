import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { threadId } from 'node:worker_threads';

/** What was kept in the cache of models (JSON); undefined where there is nothing. */
export async function readFromCache<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

/** Keeps a finding that saves time the next time. Where it can't be written, it is found again: a cache that may only be read works. */
export async function keepInCache(path: string, value: object): Promise<void> {
  // Named by process and thread: several may use one cache at the same time.
  const temporary = `${path}.${process.pid}-${threadId}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, `${JSON.stringify(value, undefined, 2)}\n`);
    await rename(temporary, path);
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

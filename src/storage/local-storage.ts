import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { ShardError, systemCode, UsageError } from '../contracts/errors.ts';
import { joinLocation } from './location.ts';
import type { Storage, StoredFile } from '../contracts/storage.ts';

/** How the names of unfinished files and folders end; they are in no listing. */
const UNFINISHED = '.tmp';

/** The data of a run in a folder of this machine, or of one that is mounted. */
export class LocalStorage implements Storage {
  readonly location: string;
  readonly remote = false;

  /** `location` is absolute; it need not exist yet. */
  constructor(location: string) {
    if (!isAbsolute(location)) throw new UsageError(`${location} is no absolute path. Give one.`);
    this.location = location;
  }

  async list(folder: string): Promise<StoredFile[]> {
    const path = this.#path(folder);
    const names = await unlessAbsent(readdir(path), []);
    const files = await Promise.all(names.filter((name) => !name.endsWith(UNFINISHED)).map((name) => storedFile(path, name)));
    return files.filter((file) => file !== undefined);
  }

  async *listDeep(folder: string): AsyncGenerator<StoredFile> {
    for (const file of await this.list(folder)) {
      const name = folder === '' ? file.name : `${folder}/${file.name}`;
      if (file.folder) yield* this.listDeep(name);
      else yield { ...file, name };
    }
  }

  async size(name: string): Promise<number | undefined> {
    const info = await unlessAbsent(stat(this.#path(name)), undefined);
    return info?.isDirectory() ? undefined : info?.size;
  }

  async readText(name: string): Promise<string | undefined> {
    return unlessAbsent(readFile(this.#path(name), 'utf8'), undefined);
  }

  async writeText(name: string, text: string): Promise<void> {
    await this.#placeText(name, text, rename);
  }

  async createText(name: string, text: string): Promise<boolean> {
    try {
      // Unlike rename, link refuses where there is a file, and unlike writing in place it shows the content whole.
      await this.#placeText(name, text, link);
      return true;
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false;
      throw error;
    }
  }

  async replaceText(name: string, before: string, text: string): Promise<boolean> {
    if ((await this.readText(name)) !== before) return false;
    await this.writeText(name, text);
    return true;
  }

  async removeUnfinished(folder: string): Promise<void> {
    const path = this.#path(folder);
    const names = await unlessAbsent(readdir(path), []);
    for (const name of names.filter((each) => each.endsWith(UNFINISHED))) await rm(join(path, name), { recursive: true, force: true });
  }

  async remove(name: string): Promise<void> {
    const path = this.#path(name);
    await rm(path, { recursive: true, force: true });
    // A marker is removed before its files: that order must hold after a power failure too.
    await unlessAbsent(syncPath(dirname(path)), undefined);
  }

  async fetch(name: string): Promise<string> {
    const path = this.#path(name);
    if (!(await unlessAbsent(stat(path), undefined))) throw new ShardError(`${path} is not there. Start the same command again, which makes it.`);
    return path;
  }

  async temporary(name: string): Promise<string> {
    const temporary = `${this.#path(name)}${UNFINISHED}`;
    await makeFolder(dirname(temporary));
    await rm(temporary, { recursive: true, force: true });
    return temporary;
  }

  async publish(path: string, name: string): Promise<void> {
    const final = this.#path(name);
    await syncDeep(path);
    await makeFolder(dirname(final));
    // rename replaces a file by a file, but neither a folder that is not empty nor one by the other.
    const [next, before] = await Promise.all([stat(path), unlessAbsent(stat(final), undefined)]);
    if (before && (before.isDirectory() || next.isDirectory())) await rm(final, { recursive: true, force: true });
    await rename(path, final);
    await syncPath(dirname(final));
  }

  #path(name: string): string {
    return joinLocation(this.location, name);
  }

  /** Writes a text beside its place and puts it there by rename or link. */
  async #placeText(name: string, text: string, place: (from: string, to: string) => Promise<void>): Promise<void> {
    const path = this.#path(name);
    // Two processes may write the same file at a time, and neither shall write into the other's.
    const temporary = `${path}.${randomUUID().slice(0, 8)}${UNFINISHED}`;
    await makeFolder(dirname(path));
    try {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await place(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
    await syncPath(dirname(path));
  }
}

async function storedFile(folder: string, name: string): Promise<StoredFile | undefined> {
  const info = await unlessAbsent(stat(join(folder, name)), undefined);
  return info && { name, bytes: info.isDirectory() ? 0 : info.size, folder: info.isDirectory() };
}

/** Makes a folder with those above it, durably: a file in it is lost when its folder is. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncPath(dirname(made));
}

/** Brings a file, or all of a folder, to the disk. */
async function syncDeep(path: string): Promise<void> {
  const info = await stat(path);
  if (info.isDirectory()) for (const name of await readdir(path)) await syncDeep(join(path, name));
  await syncPath(path);
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } catch (error) {
    // Some mounted file systems can't sync a folder.
    if (systemCode(error) !== 'EINVAL' && systemCode(error) !== 'ENOTSUP') throw error;
  } finally {
    await file.close();
  }
}

async function unlessAbsent<T, U>(work: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await work;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return otherwise;
    throw error;
  }
}

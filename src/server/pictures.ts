import { type FileHandle, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, extname, isAbsolute, join, sep } from 'node:path';
import { systemCode } from '../contracts/errors.ts';
import { shardsOfKey } from '../contracts/sample-key.ts';
import { openIfThere } from '../formats/open-if-there.ts';
import { readInto } from '../formats/read-into.ts';
import { indexTar, type TarMember } from '../formats/webdataset.ts';

export interface Picture {
  bytes: Uint8Array<ArrayBuffer>;
  type: string;
}

const types: Record<string, string> = { jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp' };

/** Tars whose index of members is kept; that of 10,000 samples takes about 5 MB. */
const MAX_INDEXES = 32;

/** Reads single pictures out of a folder of webdataset tars, or of picture files. */
export class Pictures {
  readonly #folder: string;
  readonly #indexes = new Map<string, Promise<Map<string, TarMember>>>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined where there is no such folder. */
  static async open(folder: string): Promise<Pictures | undefined> {
    try {
      return (await stat(folder)).isDirectory() ? new Pictures(folder) : undefined;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** The picture of a sample, or undefined where there is none (any more). */
  async read(key: string): Promise<Picture | undefined> {
    if (!/^\d{2,20}$/.test(key)) return this.#readFile(key);
    for (const shard of possibleShards(key)) {
      const picture = await this.#readFrom(join(this.#folder, `${shard}.tar`), key);
      if (picture) return picture;
    }
    return undefined;
  }

  /** A picture's own file, by its path: from the folder, from where that lies (`photos/a.jpg` of `photos/`), or absolute; never outside of it. */
  async #readFile(path: string): Promise<Picture | undefined> {
    const type = types[extname(path).slice(1).toLowerCase()];
    if (type === undefined || path.includes('\0')) return undefined;
    const folder = await realpath(this.#folder);
    for (const candidate of isAbsolute(path) ? [path] : [join(folder, path), join(dirname(folder), path)]) {
      try {
        // Links are followed first: one that leads out of the folder is none of its pictures.
        const file = await realpath(candidate);
        if (file.startsWith(folder + sep)) return { bytes: new Uint8Array(await readFile(file)), type };
      } catch (error) {
        if (!['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) throw error;
      }
    }
    return undefined;
  }

  async #readFrom(path: string, key: string): Promise<Picture | undefined> {
    const file = await openIfThere(path);
    if (!file) return undefined;
    try {
      const index = await this.#index(path, file);
      for (const [suffix, type] of Object.entries(types)) {
        const member = index.get(`${key}.${suffix}`);
        if (member) return { bytes: await readAt(file, path, member), type };
      }
      return undefined;
    } finally {
      await file.close();
    }
  }

  async #index(path: string, file: FileHandle): Promise<Map<string, TarMember>> {
    // A tar that was made again has its members elsewhere.
    const { ino, size, mtimeMs } = await file.stat();
    const build = `${path} ${ino} ${size} ${mtimeMs}`;
    const index = this.#indexes.get(build) ?? indexTar(path);
    // Last used, last in the map: the first is let go.
    this.#indexes.delete(build);
    this.#indexes.set(build, index);
    if (this.#indexes.size > MAX_INDEXES) this.#indexes.delete(this.#indexes.keys().next().value!);
    try {
      return await index;
    } catch (error) {
      this.#indexes.delete(build);
      throw error;
    }
  }
}

/** Ours first; then those of img2dataset's small shards, whose keys have fewer digits after the shard's. */
function possibleShards(key: string): Set<string> {
  return new Set([...shardsOfKey(key), ...Array.from({ length: key.length - 1 }, (_, i) => key.slice(0, -1 - i))]);
}

async function readAt(file: FileHandle, path: string, { offset, size }: TarMember): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  if ((await readInto(file, bytes, offset)) < size) throw new Error(`${path} ended within a member: it was cut`);
  return bytes;
}

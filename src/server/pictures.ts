import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../contracts/errors.ts';
import { indexTar, type TarMember } from '../formats/webdataset.ts';

export interface Picture {
  bytes: Uint8Array<ArrayBuffer>;
  type: string;
}

const types: Record<string, string> = { jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp' };

/** Tars whose index of members is kept; that of 10,000 samples takes about 5 MB. */
const KEPT_INDEXES = 32;
/** Digits of a key after the shard's: img2dataset's 10,000 samples a shard. */
const INDEX_DIGITS = 4;

/** Reads single pictures out of a folder of webdataset tars. */
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
    // Only digits: the key goes into a path.
    if (!/^\d{5,20}$/.test(key)) return undefined;
    const path = join(this.#folder, `${key.slice(0, -INDEX_DIGITS)}.tar`);
    const index = await this.#index(path);
    for (const [suffix, type] of Object.entries(types)) {
      const member = index?.get(`${key}.${suffix}`);
      if (member) return { bytes: await readAt(path, member), type };
    }
    return undefined;
  }

  async #index(path: string): Promise<Map<string, TarMember> | undefined> {
    const kept = this.#indexes.get(path);
    const index = kept ?? indexTar(path);
    // Last used, last in the map: the first is let go.
    this.#indexes.delete(path);
    this.#indexes.set(path, index);
    if (this.#indexes.size > KEPT_INDEXES) this.#indexes.delete(this.#indexes.keys().next().value!);
    try {
      return await index;
    } catch (error) {
      this.#indexes.delete(path);
      if (systemCode(error) === 'ENOENT' || (error instanceof Error && systemCode(error.cause) === 'ENOENT')) return undefined;
      throw error;
    }
  }
}

async function readAt(path: string, { offset, size }: TarMember): Promise<Uint8Array<ArrayBuffer>> {
  const file = await open(path, 'r');
  try {
    const bytes = new Uint8Array(size);
    for (let filled = 0; filled < size;) {
      const { bytesRead } = await file.read(bytes, filled, size - filled, offset + filled);
      if (bytesRead === 0) throw new Error(`${path} ended within a member: it was cut`);
      filled += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { systemCode } from '../contracts/errors.ts';
import { shardsOfKey } from '../contracts/sample-key.ts';
import type { TarMember } from '../formats/webdataset.ts';
import { isUrl } from '../storage/location.ts';
import { S3Objects } from '../storage/s3-objects.ts';
import { BucketTars } from './bucket-tars.ts';
import { LocalTars } from './local-tars.ts';
import { readPictureFile } from './picture-file.ts';
import type { OpenedTar, TarFolder } from './tar-folder.ts';

export interface Picture {
  bytes: Uint8Array<ArrayBuffer>;
  type: string;
}

const types: Record<string, string> = { jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp' };

/** Tars whose index of members is kept; that of 10,000 samples takes about 5 MB. */
const MAX_INDEXES = 32;
/** A tar that is made again while it is read is opened anew; that it happens twice in one read has not been seen. */
const MAX_ATTEMPTS = 3;

/** Reads single pictures out of a folder or a prefix of webdataset tars, or out of a folder of picture files. */
export class Pictures {
  readonly #tars: TarFolder;
  /** Undefined where the pictures lie in a bucket. */
  readonly #folder: string | undefined;
  readonly #indexes = new Map<string, Promise<Map<string, TarMember>>>();

  private constructor(tars: TarFolder, folder: string | undefined) {
    this.#tars = tars;
    this.#folder = folder;
  }

  /** Undefined where there is no such folder. `environment` is the process's, for a bucket. */
  static async open(location: string, environment: Readonly<Record<string, string | undefined>> = {}): Promise<Pictures | undefined> {
    if (isUrl(location)) return new Pictures(new BucketTars(location, new S3Objects(environment, true)), undefined);
    try {
      return (await stat(location)).isDirectory() ? new Pictures(new LocalTars(location), location) : undefined;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** The picture of a sample, or undefined where there is none (any more). */
  async read(key: string): Promise<Picture | undefined> {
    if (!/^\d{2,20}$/.test(key)) return this.#readFile(key);
    for (const shard of possibleShards(key)) {
      const picture = await this.#readFrom(`${shard}.tar`, key);
      if (picture) return picture;
    }
    return undefined;
  }

  async #readFile(path: string): Promise<Picture | undefined> {
    const type = types[extname(path).slice(1).toLowerCase()];
    const bytes = type !== undefined && this.#folder !== undefined ? await readPictureFile(this.#folder, path) : undefined;
    return bytes && { bytes, type: type! };
  }

  async #readFrom(name: string, key: string): Promise<Picture | undefined> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const tar = await this.#tars.open(name);
      if (!tar) return undefined;
      try {
        const index = await this.#index(tar);
        const suffix = Object.keys(types).find((suffix) => index.has(`${key}.${suffix}`));
        if (suffix === undefined) return undefined;
        const bytes = await tar.read(index.get(`${key}.${suffix}`)!);
        if (bytes) return { bytes, type: types[suffix]! };
      } finally {
        await tar.close();
      }
    }
    return undefined;
  }

  async #index(tar: OpenedTar): Promise<Map<string, TarMember>> {
    const index = this.#indexes.get(tar.build) ?? tar.index();
    // Last used, last in the map: the first is let go.
    this.#indexes.delete(tar.build);
    this.#indexes.set(tar.build, index);
    if (this.#indexes.size > MAX_INDEXES) this.#indexes.delete(this.#indexes.keys().next().value!);
    try {
      return await index;
    } catch (error) {
      this.#indexes.delete(tar.build);
      throw error;
    }
  }
}

/** Ours first; then those of img2dataset's small shards, whose keys have fewer digits after the shard's. */
function possibleShards(key: string): Set<string> {
  return new Set([...shardsOfKey(key), ...Array.from({ length: key.length - 1 }, (_, i) => key.slice(0, -1 - i))]);
}

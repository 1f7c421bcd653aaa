import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../contracts/errors.ts';

/** Where the builds of an index are found. */
export interface IndexFolder {
  /** What tells the build that is there now from others; undefined where there is none at the moment. */
  version(): Promise<string | undefined>;
  /** A folder of this machine from which the build that is there now can be opened. */
  path(): Promise<string>;
}

/** An index on this machine: it is opened where it lies. */
export class LocalIndexFolder implements IndexFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A build replaces the one before as a whole, so that even two of the same content differ. */
  async version(): Promise<string | undefined> {
    try {
      const { ino, size, mtimeNs } = await stat(join(this.#folder, 'index.json'), { bigint: true });
      return `${ino} ${size} ${mtimeNs}`;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  path(): Promise<string> {
    return Promise.resolve(this.#folder);
  }
}

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A folder with a file for each member of a sample (`KEY.jpg`, `KEY.json`, `KEY.txt`), as img2dataset's format `files` has it. */
export class SampleFolderWriter {
  readonly #folder: string;
  /** Samples written so far. */
  samples = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<SampleFolderWriter> {
    await mkdir(folder, { recursive: true });
    return new SampleFolderWriter(folder);
  }

  async write(key: string, members: readonly (readonly [suffix: string, bytes: Uint8Array])[]): Promise<void> {
    await Promise.all(members.map(([suffix, bytes]) => writeFile(join(this.#folder, `${key}.${suffix}`), bytes, { flag: 'wx' })));
    this.samples++;
  }

  /** Nothing stays open; the storage makes the folder durable when it publishes it. */
  async close(): Promise<void> {}
  async abort(): Promise<void> {}
}

import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { openIfThere } from '../formats/open-if-there.ts';
import { readInto } from '../formats/read-into.ts';
import { indexTar, type TarMember } from '../formats/webdataset.ts';
import type { OpenedTar, TarFolder } from './tar-folder.ts';

/** Tars in a folder of this machine. */
export class LocalTars implements TarFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async open(name: string): Promise<OpenedTar | undefined> {
    const path = join(this.#folder, name);
    const file = await openIfThere(path);
    if (!file) return undefined;
    const { ino, size, mtimeMs } = await file.stat();
    return { build: `${path} ${ino} ${size} ${mtimeMs}`, index: () => indexTar(path), read: (member) => readAt(file, path, member), close: () => file.close() };
  }
}

async function readAt(file: FileHandle, path: string, { offset, size }: TarMember): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  if ((await readInto(file, bytes, offset)) < size) throw new Error(`${path} ended within a member: it was cut`);
  return bytes;
}

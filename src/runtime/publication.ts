import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * The files of one shard, written under temporary names and moved into place together, in the order in which they
 * were named. A process killed before the marker leaves files that the next run overwrites.
 */
export class Publication {
  readonly #moves: { temporary: string; path: string }[] = [];
  readonly #reached: (point: string) => void;

  constructor(effects: { reached(point: string): void }) {
    this.#reached = effects.reached;
  }

  /** The temporary path to write; its folder exists. `path` may become a file or a folder. */
  async file(path: string): Promise<string> {
    const temporary = `${path}.tmp`;
    await mkdir(dirname(path), { recursive: true });
    await rm(temporary, { recursive: true, force: true });
    this.#moves.push({ temporary, path });
    return temporary;
  }

  /** Moves all into place. */
  async commit(): Promise<void> {
    this.#reached('written');
    for (const { temporary, path } of this.#moves) {
      await syncPath(temporary);
      // rename replaces a file, but not a folder that is not empty.
      await rm(path, { recursive: true, force: true });
      await rename(temporary, path);
    }
    this.#reached('renamed');
  }

  /** Removes what was written, after an error. */
  async discard(): Promise<void> {
    for (const { temporary } of this.#moves) await rm(temporary, { recursive: true, force: true });
  }
}

/** Runs `write` and commits; on an error nothing temporary stays behind. */
export async function publish<T>(effects: { reached(point: string): void }, write: (publication: Publication) => Promise<T>): Promise<T> {
  const publication = new Publication(effects);
  try {
    const result = await write(publication);
    await publication.commit();
    return result;
  } catch (error) {
    await publication.discard();
    throw error;
  }
}

/** Writes a small file so that a reader sees the old content or the new, never a part. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

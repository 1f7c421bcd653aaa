import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCode, UsageError } from '../contracts/errors.ts';
import { IndexDescription } from '../contracts/index-description.ts';
import type { Storage, StoredFile } from '../contracts/storage.ts';
import { joinLocation } from '../storage/location.ts';
import type { IndexFolder } from './index-folder.ts';

/** Seconds until a new build in the bucket is seen: each look is a request. */
const LOOK_SECONDS = 5;
const DESCRIPTION = 'index.json';

/**
 * An index in a bucket. A search reads from all over it, so each build is copied whole to `home`, a folder of this machine, and opened
 * there. The copy of the last build is kept for the next start; copies of other builds are removed.
 */
export class CopiedIndex implements IndexFolder {
  readonly #storage: Storage;
  readonly #home: string;
  readonly #say: (line: string) => void;
  #seen: { version: string | undefined; at: number } | undefined;

  constructor(storage: Storage, home: string, say: (line: string) => void) {
    this.#storage = storage;
    this.#home = home;
    this.#say = say;
  }

  async version(): Promise<string | undefined> {
    if (this.#seen && performance.now() - this.#seen.at < 1000 * LOOK_SECONDS) return this.#seen.version;
    try {
      this.#seen = { version: await this.#storage.readText(DESCRIPTION), at: performance.now() };
    } catch (error) {
      if (!this.#seen) throw error;
      // What is copied answers, whether the bucket does or not.
      this.#say(`Whether there is a new build in ${this.#storage.location} can't be seen: ${messageOf(error)}`);
      this.#seen = { version: this.#seen.version, at: performance.now() };
    }
    return this.#seen.version;
  }

  async path(): Promise<string> {
    const text = await this.#storage.readText(DESCRIPTION);
    if (text === undefined) throw new UsageError(`${this.#storage.location} holds no index (${DESCRIPTION}).`);
    const build = folderOf(text, this.#storage.location);
    const files = (await Array.fromAsync(this.#storage.listDeep(build))).sort((a, b) => (a.name < b.name ? -1 : 1));
    const copy = join(this.#home, nameOf(text, files));
    if (!(await exists(copy))) await this.#copy(text, build, files, copy);
    for (const other of await readdir(this.#home)) if (join(this.#home, other) !== copy) await rm(join(this.#home, other), { recursive: true, force: true });
    return copy;
  }

  async #copy(text: string, build: string, files: readonly StoredFile[], copy: string): Promise<void> {
    await mkdir(this.#home, { recursive: true });
    const megabytes = Math.ceil(files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6);
    this.#say(`Copying the index of ${this.#storage.location} (${megabytes.toLocaleString('en')} MB) to ${copy}`);
    // Beside the copy, and moved there when it is whole: another process may make the same one.
    const temporary = await mkdtemp(join(this.#home, 'part-'));
    try {
      await this.#storage.fetch(build, temporary);
      await writeFile(join(temporary, DESCRIPTION), text);
      await rename(temporary, copy).catch((error: unknown) => {
        if (!['ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')) throw error;
      });
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
}

/** LanceDB's files have names that no other build has; so content, names and sizes tell one build from another. */
function nameOf(text: string, files: readonly StoredFile[]): string {
  const hash = createHash('sha256').update(text);
  for (const { name, bytes } of files) hash.update(`\n${name} ${bytes}`);
  return `build-${hash.digest('hex').slice(0, 32)}`;
}

/** Throws UsageError where the text describes no index of which a build could be copied. */
function folderOf(text: string, location: string): string {
  const { success, data } = IndexDescription.safeParse(parsed(text));
  if (!success) throw new UsageError(`${location}/${DESCRIPTION} is not an index that this version reads. Build it again with pairmill index --redo index.`);
  // Throws where it leads elsewhere.
  joinLocation(location, data.folder);
  return data.folder;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

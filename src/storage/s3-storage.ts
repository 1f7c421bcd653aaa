import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ShardError, UsageError } from '../contracts/errors.ts';
import { eachAtOnce } from './each-at-once.ts';
import { joinLocation, parseS3Url, type S3Location, s3Url } from './location.ts';
import { AbsentObjectError } from './s3-error.ts';
import type { S3Objects } from './s3-objects.ts';
import type { Storage, StoredFile } from '../contracts/storage.ts';

/** Files of one folder that are fetched or uploaded at a time; an upload holds some parts of each in memory. */
const FILES_AT_ONCE = 4;

/** The data of a run below a prefix of a bucket. A folder is the objects whose keys begin with its name and a slash. */
export class S3Storage implements Storage {
  readonly location: string;
  readonly remote = true;
  readonly #objects: S3Objects;
  readonly #bucket: string;

  /** `location` is `s3://bucket/prefix`. */
  constructor(location: string, objects: S3Objects) {
    const place = parseS3Url(location);
    if (!place) throw new UsageError(`${location} is not in S3. Give s3://BUCKET/PREFIX.`);
    this.location = s3Url({ ...place, key: place.key.replace(/\/+$/, '') });
    this.#bucket = place.bucket;
    this.#objects = objects;
  }

  async list(folder: string): Promise<StoredFile[]> {
    const prefix = this.#prefix(folder);
    const files: StoredFile[] = [];
    for await (const { key, bytes, folder: isFolder } of this.#objects.list({ bucket: this.#bucket, key: prefix }, false)) {
      const name = key.slice(prefix.length).replace(/\/$/, '');
      // The key of a folder itself: other tools write empty objects under such.
      if (name !== '') files.push({ name, bytes, folder: isFolder });
    }
    return files;
  }

  async *listDeep(folder: string): AsyncGenerator<StoredFile> {
    const { length } = this.#prefix('');
    for await (const { key, bytes } of this.#objects.list({ bucket: this.#bucket, key: this.#prefix(folder) }, true))
      if (!key.endsWith('/')) yield { name: key.slice(length), bytes, folder: false };
  }

  async size(name: string): Promise<number | undefined> {
    return this.#objects.size(this.#object(name));
  }

  async readText(name: string): Promise<string | undefined> {
    return this.#objects.readText(this.#object(name));
  }

  async writeText(name: string, text: string): Promise<void> {
    await this.#objects.writeText(this.#object(name), text);
  }

  async createText(name: string, text: string): Promise<boolean> {
    return this.#objects.createText(this.#object(name), text);
  }

  async replaceText(name: string, before: string, text: string): Promise<boolean> {
    return this.#objects.replaceText(this.#object(name), before, text);
  }

  async removeUnfinished(): Promise<void> {
    // An object is there whole or not at all. What was to become one is in scratch.
  }

  async remove(name: string): Promise<void> {
    const below = await this.#keysBelow(name);
    // Whether the object is there needs no look: S3 removes what is not there without an error.
    await this.#objects.remove(this.#bucket, name === '' ? below : [this.#object(name).key, ...below]);
  }

  async fetch(name: string, scratch: string, signal?: AbortSignal): Promise<string> {
    const path = joinLocation(scratch, name);
    const temporary = `${path}.tmp`;
    await rm(temporary, { recursive: true, force: true });
    await mkdir(dirname(path), { recursive: true });
    try {
      if (name === '' || !(await this.#downloadFile(this.#object(name), temporary, signal))) await this.#downloadFolder(name, temporary, signal);
      await rm(path, { recursive: true, force: true });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    return path;
  }

  async temporary(name: string, scratch: string): Promise<string> {
    const temporary = `${joinLocation(scratch, name)}.tmp`;
    await mkdir(dirname(temporary), { recursive: true });
    await rm(temporary, { recursive: true, force: true });
    return temporary;
  }

  async publish(path: string, name: string, signal?: AbortSignal): Promise<void> {
    const written = new Set<string>();
    const isFolder = (await stat(path)).isDirectory();
    if (isFolder) {
      const entries = await readdir(path, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
      const upload = async (file: string, either: AbortSignal): Promise<void> => {
        const object = this.#object(`${name}/${file.slice(path.length + 1)}`);
        await this.#objects.upload(file, object, either);
        written.add(object.key);
      };
      await eachAtOnce(files.sort(), FILES_AT_ONCE, upload, signal);
    } else await this.#objects.upload(path, this.#object(name), signal);
    // What was there before and is not part of the new.
    const stale = (await this.#keysBelow(name)).filter((key) => !written.has(key));
    if (isFolder) stale.push(this.#object(name).key);
    await this.#objects.remove(this.#bucket, stale);
    await rm(path, { recursive: true, force: true });
  }

  async #downloadFolder(name: string, temporary: string, signal?: AbortSignal): Promise<void> {
    const files = (await Array.fromAsync(this.listDeep(name))).map((file) => file.name);
    if (files.length === 0) throw new ShardError(`${joinLocation(this.location, name)} is not there. Start the same command again, which makes it.`);
    const download = async (file: string, either: AbortSignal): Promise<void> => {
      // Throws where a key would lead out of the folder.
      const path = joinLocation(temporary, name === '' ? file : file.slice(name.length + 1));
      await mkdir(dirname(path), { recursive: true });
      if (!(await this.#downloadFile(this.#object(file), path, either)))
        throw new ShardError(`${joinLocation(this.location, file)} was removed while it was read. Start the same command again.`);
    };
    await eachAtOnce(files, FILES_AT_ONCE, download, signal);
  }

  /** False where there is no such object. */
  async #downloadFile(object: S3Location, path: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await writeFile(path, this.#objects.read(object, signal));
      return true;
    } catch (error) {
      if (!(error instanceof AbsentObjectError)) throw error;
      await rm(path, { force: true });
      return false;
    }
  }

  #object(name: string): S3Location {
    return parseS3Url(joinLocation(this.location, name))!;
  }

  /** What the keys in a folder begin with. */
  #prefix(folder: string): string {
    const { key } = this.#object(folder);
    return key === '' ? '' : `${key}/`;
  }

  async #keysBelow(name: string): Promise<string[]> {
    const below = this.#objects.list({ bucket: this.#bucket, key: this.#prefix(name) }, true);
    return (await Array.fromAsync(below)).map(({ key }) => key);
  }
}

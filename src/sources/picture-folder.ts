import { opendir, readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { systemCode } from '../contracts/errors.ts';
import { parseS3Url, type S3Location } from '../storage/location.ts';
import type { S3Entry, S3Objects } from '../storage/s3-objects.ts';

/** Names of the pictures that are read out of a folder. */
export const PICTURE_FILE = /\.(?:jpe?g|png|webp|gif|tiff?|avif|bmp)$/i;
/** What may lie beside a picture under its name and say something of it. */
const BESIDE_FILE = /\.(?:txt|json)$/i;

/** A path without its ending: the text and the json of a picture lie beside it under the same. */
export function stemOf(path: string): string {
  return path.replace(/\.[^./]*$/, '');
}

/** A file below a folder, its path relative to it. */
interface FoundFile {
  readonly path: string;
  readonly bytes: number;
}

/** A folder of pictures: one of this machine, or a prefix of a bucket that ends with a slash. */
export interface PictureFolder {
  /** An absolute path, or a URL. */
  readonly location: string;
  /** The pictures below it and the texts beside them, sorted by path. What is hidden, links to folders and `__MACOSX` are passed over. */
  find(): Promise<{ pictures: FoundFile[]; beside: FoundFile[] }>;
  /** Names of what lies directly in it. */
  names(): Promise<string[]>;
  /** What changes when the file of that name does. */
  identityOf(name: string): Promise<string>;
  /** Undefined where there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
}

/** The folder, where the input is one that holds pictures; undefined where it is something else. */
export async function pictureFolder(input: string, s3: S3Objects): Promise<PictureFolder | undefined> {
  const folder = openPictureFolder(input, s3);
  if (!(folder instanceof BucketFolder) && !(await stat(input).catch(() => undefined))?.isDirectory()) return undefined;
  if (folder instanceof BucketFolder && !input.endsWith('/')) return undefined;
  return (await folder.find()).pictures.length > 0 ? folder : undefined;
}

export function openPictureFolder(input: string, s3: S3Objects): PictureFolder {
  const bucket = parseS3Url(input);
  return bucket ? new BucketFolder(input, bucket, s3) : new LocalFolder(resolve(input));
}

class LocalFolder implements PictureFolder {
  readonly location: string;

  constructor(location: string) {
    this.location = location;
  }

  async find(): ReturnType<PictureFolder['find']> {
    const files: FoundFile[] = [];
    for await (const path of filesBelow(this.location, '')) if (isWanted(path)) files.push({ path, bytes: (await stat(join(this.location, path))).size });
    return sorted(files);
  }

  names(): Promise<string[]> {
    return readdir(this.location);
  }

  async identityOf(name: string): Promise<string> {
    const { size, mtimeMs } = await stat(join(this.location, name));
    return `${size} bytes, changed ${mtimeMs}`;
  }

  async read(path: string): Promise<Buffer | undefined> {
    try {
      return await readFile(join(this.location, path));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}

class BucketFolder implements PictureFolder {
  readonly location: string;
  readonly #prefix: S3Location;
  readonly #s3: S3Objects;
  #listed: Promise<ReadonlyMap<string, S3Entry>> | undefined;

  constructor(location: string, prefix: S3Location, s3: S3Objects) {
    this.location = location;
    this.#prefix = prefix;
    this.#s3 = s3;
  }

  async find(): ReturnType<PictureFolder['find']> {
    const files = [...(await this.#files())].flatMap(([path, { bytes }]) => (isWanted(path) ? [{ path, bytes }] : []));
    return sorted(files);
  }

  async names(): Promise<string[]> {
    return [...(await this.#files()).keys()].filter((path) => !path.includes('/'));
  }

  async identityOf(name: string): Promise<string> {
    const { bytes, etag } = (await this.#files()).get(name)!;
    return `${bytes} bytes, ETag ${etag}`;
  }

  /** The listing says what there is, so that no request asks for a text beside each picture. */
  async read(path: string): Promise<Buffer | undefined> {
    const entry = (await this.#files()).get(path);
    return entry && Buffer.concat(await Array.fromAsync(this.#s3.read({ bucket: this.#prefix.bucket, key: entry.key })));
  }

  #files(): Promise<ReadonlyMap<string, S3Entry>> {
    return (this.#listed ??= this.#list());
  }

  async #list(): Promise<ReadonlyMap<string, S3Entry>> {
    await this.#s3.check();
    const files = new Map<string, S3Entry>();
    for await (const entry of this.#s3.list(this.#prefix, true)) {
      const path = entry.key.slice(this.#prefix.key.length);
      // Some programs make an object for a folder.
      if (path !== '' && !path.endsWith('/') && !path.split('/').some(isPassedOver)) files.set(path, entry);
    }
    return files;
  }
}

const isWanted = (path: string): boolean => PICTURE_FILE.test(path) || BESIDE_FILE.test(path);
const isPassedOver = (name: string): boolean => name.startsWith('.') || name === '__MACOSX';

function sorted(files: FoundFile[]): { pictures: FoundFile[]; beside: FoundFile[] } {
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { pictures: files.filter(({ path }) => PICTURE_FILE.test(path)), beside: files.filter(({ path }) => BESIDE_FILE.test(path)) };
}

async function* filesBelow(root: string, folder: string): AsyncGenerator<string> {
  for await (const entry of await opendir(join(root, folder))) {
    if (isPassedOver(entry.name)) continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(root, path);
    else if (entry.isFile() || (entry.isSymbolicLink() && (await stat(join(root, path)).catch(() => undefined))?.isFile())) yield path;
  }
}

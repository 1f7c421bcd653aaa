import { basename } from 'node:path';
import { indexTar } from '../formats/webdataset.ts';
import { parseS3Url, s3Url, type S3Location } from '../storage/location.ts';
import type { S3Objects } from '../storage/s3-objects.ts';
import type { OpenedTar, TarFolder } from './tar-folder.ts';

/** Seconds until tars that came, went or were made again are seen. */
const LISTING_SECONDS = 30;

interface Listing {
  /** Tag of each tar, by its name. */
  readonly tags: ReadonlyMap<string, string>;
  readonly at: number;
}

/**
 * Tars below a prefix of a bucket. A member is one request for its bytes; the index of a tar is a passage of the whole of it, of which
 * nothing is kept on the disk.
 */
export class BucketTars implements TarFolder {
  readonly #folder: S3Location;
  readonly #objects: S3Objects;
  #listing: Promise<Listing> | undefined;

  /** `location` is `s3://bucket/prefix`. */
  constructor(location: string, objects: S3Objects) {
    const { bucket, key } = parseS3Url(location)!;
    this.#folder = { bucket, key: key === '' ? '' : `${key.replace(/\/+$/, '')}/` };
    this.#objects = objects;
  }

  async open(name: string): Promise<OpenedTar | undefined> {
    const tag = (await this.#current()).tags.get(name);
    if (tag === undefined) return undefined;
    const object = { bucket: this.#folder.bucket, key: this.#folder.key + name };
    return {
      build: `${s3Url(object)} ${tag}`,
      index: () => indexTar(s3Url(object), this.#objects.read(object)),
      read: async (member) => {
        const bytes = await this.#objects.readRange(object, member, tag);
        if (!bytes) this.#listing = undefined;
        return bytes;
      },
      close: () => Promise.resolve(),
    };
  }

  async #current(): Promise<Listing> {
    const listing = await this.#listing?.catch(() => undefined);
    if (listing && performance.now() - listing.at < 1000 * LISTING_SECONDS) return listing;
    return (this.#listing = this.#list());
  }

  async #list(): Promise<Listing> {
    const tags = new Map<string, string>();
    for await (const { key, etag, folder } of this.#objects.list(this.#folder, false)) if (!folder && key.endsWith('.tar')) tags.set(basename(key), etag);
    return { tags, at: performance.now() };
  }
}

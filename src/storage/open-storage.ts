import { resolve } from 'node:path';
import { UsageError } from '../contracts/errors.ts';
import { LocalStorage } from './local-storage.ts';
import { isUrl, parseS3Url } from './location.ts';
import { S3Objects } from './s3-objects.ts';
import { S3Storage } from './s3-storage.ts';
import type { Storage } from '../contracts/storage.ts';

/**
 * The storage at a location: a folder's path, or `s3://bucket/prefix`. `environment` is the process's (AWS's variables); nothing
 * is asked of the network yet. Throws UsageError where the location is neither, or what the environment says can't be used.
 */
export async function openStorage(location: string, environment: Readonly<Record<string, string | undefined>>): Promise<Storage> {
  if (parseS3Url(location)) {
    const objects = new S3Objects(environment, true);
    await objects.check();
    return new S3Storage(location, objects);
  }
  if (isUrl(location)) {
    const scheme = /^[^:]+/.exec(location)![0];
    throw new UsageError(`${scheme}:// can't hold the data of a run. Give the path of a folder, or s3://BUCKET/PREFIX (also of MinIO, Ceph, R2).`);
  }
  return new LocalStorage(resolve(location));
}

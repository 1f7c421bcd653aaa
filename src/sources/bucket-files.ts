import { posix } from 'node:path';
import { type S3Location, s3Url } from '../storage/location.ts';
import type { S3Objects } from '../storage/s3-objects.ts';
import { isOfKind, type SourceFile, type SourceKind } from './source-file.ts';

const GLOB_SIGN = /[*?[{]/;

/** Whether a place in a bucket is more than one object. */
export function isFolderOrGlob({ key }: S3Location): boolean {
  return key === '' || key.endsWith('/') || GLOB_SIGN.test(key);
}

/** The files of a kind directly below a prefix that ends with a slash, or those that a glob matches; sorted by name. */
export async function bucketFiles({ bucket, key }: S3Location, s3: S3Objects, kind: SourceKind): Promise<SourceFile[]> {
  const sign = key.search(GLOB_SIGN);
  const isGlob = sign >= 0;
  const prefix = isGlob ? key.slice(0, sign) : key;
  // A pattern of names in one folder needs no look into the folders below.
  const deep = isGlob ? key.includes('/', sign) || key.includes('**') : (kind.deep ?? false);
  const files: SourceFile[] = [];
  for await (const { key: found, etag, bytes } of s3.list({ bucket, key: prefix }, deep)) {
    if (!isOfKind(found.slice(prefix.lastIndexOf('/') + 1), kind) || (isGlob && !posix.matchesGlob(found, key))) continue;
    files.push({ path: s3Url({ bucket, key: found }), digest: etag ? `ETag ${etag}` : `${bytes} bytes` });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

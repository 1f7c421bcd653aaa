import { join, resolve } from 'node:path';
import { UsageError } from '../contracts/errors.ts';

/** An object, a prefix or a pattern in a bucket. */
export interface S3Location {
  bucket: string;
  /** Empty for the bucket itself. */
  key: string;
}

/** Parses `s3://bucket/key`; undefined where it is another kind of path. Throws UsageError where no request could name it. */
export function parseS3Url(path: string): S3Location | undefined {
  if (!/^s3:\/\//i.test(path)) return undefined;
  const [, bucket, key = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/is.exec(path) ?? [];
  if (bucket === undefined || !/^[\w.-]+$/.test(bucket)) {
    // What stands before an @ may be a password.
    throw new UsageError(`${path.replace(/\/\/[^/]*@/, '//')} names no bucket. Give s3://BUCKET/KEY, and credentials in the environment.`);
  }
  // Clients and servers take these for steps in a path, each in its own way.
  if (key.split('/').some((part) => part === '.' || part === '..')) throw new UsageError(`${path}: keys with . or .. between slashes can't be read.`);
  return { bucket, key };
}

/** `s3://bucket/key`, as messages have it. */
export function s3Url({ bucket, key }: S3Location): string {
  return key === '' ? `s3://${bucket}` : `s3://${bucket}/${key}`;
}

/** Whether a location is a URL (s3, http, …) and not a path. */
export function isUrl(location: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(location);
}

/**
 * The location of a name within another: `s3://bucket/run` or a path, and `links/00000.parquet`; '' is `base` itself. Throws
 * UsageError where the name leads out of `base` (names also come out of files that others wrote).
 */
export function joinLocation(base: string, name: string): string {
  if (name === '') return base;
  const parts = name.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0')))
    throw new UsageError(`${JSON.stringify(name)} names nothing within ${base}. Give a name relative to it, without . and .. and empty parts.`);
  return isUrl(base) ? `${base.replace(/\/+$/, '')}/${name}` : join(base, ...parts);
}

/** What a user typed as a folder or URL, as a location: an absolute path, or the URL without slashes at its end. */
export function locationOf(typed: string): string {
  return isUrl(typed) ? typed.replace(/\/+$/, '') : resolve(typed);
}

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
  // A URL would lose these.
  if (key.split('/').some((part) => part === '.' || part === '..')) throw new UsageError(`${path}: keys with . or .. between slashes can't be read.`);
  return { bucket, key };
}

/** The key as it stands in a URL, encoded as Signature V4 has it. */
export function encodeKey(key: string): string {
  return key.split('/').map(encodeRfc3986).join('/');
}

/** All but letters, digits and -._~ as %XX. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

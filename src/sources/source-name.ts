import { basename } from 'node:path';
import { isUrl, parseS3Url } from '../storage/location.ts';

/** A URL as messages and markers may have it: without a password, and without the signature of a presigned one. */
export function withoutSecrets(path: string): string {
  const url = isUrl(path) ? URL.parse(path) : null;
  if (!url || parseS3Url(path)) return path;
  const secret = [...url.searchParams.keys()].filter((key) => /^x-amz-|^x-goog-|^(?:signature|awsaccesskeyid|googleaccessid|expires|sig|token)$/i.test(key));
  if (secret.length === 0 && url.username === '' && url.password === '') return path;
  for (const key of secret) url.searchParams.delete(key);
  url.username = '';
  url.password = '';
  return url.href;
}

/** Name of a crawl file as the candidates carry it. */
export function sourceName(path: string): string {
  const object = parseS3Url(path);
  if (object) return basename(object.key);
  return basename(isUrl(path) ? new URL(path).pathname : path);
}

import { posix } from 'node:path';
import type { ShardInput } from '../../contracts/stage.ts';
import type { S3Client } from '../../net/s3-client.ts';
import { listObjects } from '../../net/s3-listing.ts';
import type { S3Location } from '../../net/s3-location.ts';

/** Names of the files that are read out of a folder. */
export const CRAWL_FILE = /\.(?:warc|wat)(?:\.gz)?$/;
const GLOB_SIGN = /[*?[{]/;

/** Whether a place in a bucket is more than one object. */
export function isFolderOrGlob({ key }: S3Location): boolean {
  return key === '' || key.endsWith('/') || GLOB_SIGN.test(key);
}

/** The crawl files directly below a prefix that ends with a slash, or those that a glob matches; sorted by name. */
export async function bucketFiles({ bucket, key }: S3Location, s3: S3Client): Promise<ShardInput[]> {
  const sign = key.search(GLOB_SIGN);
  const isGlob = sign >= 0;
  const prefix = isGlob ? key.slice(0, sign) : key;
  // A pattern of names in one folder needs no look into the folders below.
  const deep = isGlob && (key.includes('/', sign) || key.includes('**'));
  const files: ShardInput[] = [];
  for await (const object of listObjects(s3, { bucket, key: prefix }, deep)) {
    if (!CRAWL_FILE.test(object.key) || (isGlob && !posix.matchesGlob(object.key, key))) continue;
    files.push({ path: `s3://${bucket}/${object.key}`, identity: object.identity });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

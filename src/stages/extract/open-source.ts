import { createReadStream } from 'node:fs';
import { ShardError } from '../../contracts/errors.ts';
import { isUrl } from './input-files.ts';

/** Bytes that are read from a file at a time. */
const CHUNK_BYTES = 1_048_576;

/** The bytes of a crawl file, from a path, http(s):// or s3:// (public buckets, over https). */
export async function* openSource(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (!isUrl(path)) {
    yield* createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>;
    return;
  }
  const response = await fetch(httpUrl(path), { signal });
  if (!response.ok || !response.body) throw new ShardError(`${path}: the server answered ${response.status} ${response.statusText}. Check the URL, and start again for what is missing.`);
  yield* response.body;
}

function httpUrl(path: string): string {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(path) ?? [];
  return bucket === undefined ? path : `https://${bucket}.s3.amazonaws.com/${key}`;
}

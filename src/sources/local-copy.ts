import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isUrl } from '../storage/location.ts';
import type { S3Objects } from '../storage/s3-objects.ts';
import { openSource } from './open-source.ts';

/** A path at which the file can be read: its own, or of a remote one `copy`, to which it is copied. */
export async function localCopy(path: string, copy: string, signal: AbortSignal, s3: S3Objects): Promise<string> {
  if (!isUrl(path)) return path;
  await pipeline(Readable.from(ownChunks(openSource(path, signal, s3))), createWriteStream(copy), { signal });
  return copy;
}

/** A chunk of a source is valid until the next one is asked for. */
async function* ownChunks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield Buffer.from(chunk);
}

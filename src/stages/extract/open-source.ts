import { createReadStream } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { messageOf, ShardError } from '../../contracts/errors.ts';
import { isUrl } from './input-files.ts';

/** Bytes that are read from a file at a time. */
const CHUNK_BYTES = 1_048_576;
/** Attempts without a byte more before a file is given up. */
const ATTEMPTS = 5;
const FIRST_WAIT_MS = 500;

/**
 * The bytes of a crawl file, from a path, http(s):// or s3:// (public buckets, over https). A connection that breaks
 * is taken up again where it broke. Throws ShardError where the file can't be had.
 */
export async function* openSource(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (isUrl(path)) yield* download(path, signal);
  else yield* createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>;
}

async function* download(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let read = 0;
  for (let attempt = 1; ; attempt++) {
    let problem: string;
    try {
      const response = await fetch(httpUrl(path), { signal, headers: read > 0 ? { range: `bytes=${read}-` } : {} });
      const resumed = read === 0 || response.status === 206;
      if (response.ok && response.body && resumed) {
        for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
          read += chunk.length;
          attempt = 1;
          yield chunk;
        }
        return;
      }
      problem = resumed
        ? `the server answered ${response.status} ${response.statusText}`
        : `the connection broke after ${read} bytes and the server does not resume (answer ${response.status})`;
      await response.body?.cancel();
      if (response.status < 500 && response.status !== 429) throw new ShardError(`${path}: ${problem}. Check the URL.`);
    } catch (error) {
      if (error instanceof ShardError || signal.aborted) throw error;
      problem = messageOf(error instanceof Error && error.cause ? error.cause : error);
    }
    if (attempt === ATTEMPTS) throw new ShardError(`${path}: ${problem}, ${ATTEMPTS} times. Start the same command again for what is missing.`);
    await wait(FIRST_WAIT_MS * 2 ** (attempt - 1), undefined, { signal });
  }
}

function httpUrl(path: string): string {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(path) ?? [];
  return bucket === undefined ? path : `https://${bucket}.s3.amazonaws.com/${key}`;
}

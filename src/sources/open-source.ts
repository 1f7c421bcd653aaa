import { setTimeout as wait } from 'node:timers/promises';
import { messageOf, PairmillError, ShardError } from '../contracts/errors.ts';
import { isUrl, parseS3Url } from '../storage/location.ts';
import { S3Objects } from '../storage/s3-objects.ts';
import { withoutSecrets } from './source-name.ts';
import { readFileChunks } from './read-file.ts';

/** Attempts without a byte more before a file is given up. */
const ATTEMPTS = 5;
const FIRST_WAIT_MS = 500;

/**
 * The bytes of a crawl file, from a path, http(s):// or s3://. A connection that breaks is taken up again where it broke.
 * Throws ShardError where the file can't be had. A chunk is valid until the next one is asked for.
 */
export async function* openSource(path: string, signal: AbortSignal, s3 = new S3Objects({}, true)): AsyncGenerator<Uint8Array> {
  const object = parseS3Url(path);
  if (object) yield* s3.read(object, signal);
  else if (isUrl(path)) yield* download(path, signal);
  else yield* readFileChunks(path);
}

async function* download(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const name = withoutSecrets(path);
  let read = 0;
  let tag: string | null = null;
  for (let attempt = 1; ; attempt++) {
    let problem: string;
    try {
      const response = await request(path, read, tag, signal);
      const resumed = read === 0 || response.status === 206;
      if (response.ok && response.body && resumed) {
        tag ??= response.headers.get('etag');
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
      if (response.status < 500 && response.status !== 429) throw new ShardError(`${name}: ${problem}. Check the URL.`);
    } catch (error) {
      if (error instanceof PairmillError || signal.aborted) throw error;
      problem = messageOf(error instanceof Error && error.cause ? error.cause : error);
    }
    if (attempt === ATTEMPTS) throw new ShardError(`${name}: ${problem}, ${ATTEMPTS} times. Start the same command again for what is missing.`);
    await wait(FIRST_WAIT_MS * 2 ** (attempt - 1), undefined, { signal });
  }
}

/** Asks for the file from byte `from` on, of the version that the tag says. */
async function request(path: string, from: number, tag: string | null, signal: AbortSignal): Promise<Response> {
  const range: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
  // A weak tag does not speak for the bytes.
  return fetch(path, { headers: { ...range, ...(from > 0 && tag && !tag.startsWith('W/') && { 'if-range': tag }) }, signal });
}

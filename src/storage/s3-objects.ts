import { randomUUID } from 'node:crypto';
import { addAbortSignal, type Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { messageOf, ShardError, systemCode, UsageError } from '../contracts/errors.ts';
import { type S3Location, s3Url } from './location.ts';
import { type S3Connection, sharedConnection } from './s3-connection.ts';
import { AbsentObjectError, isAbsent } from './s3-error.ts';
import { uploadFile, WRITER } from './s3-upload.ts';

export interface S3Entry {
  key: string;
  bytes: number;
  /** Changes when the object does; empty where the listing has none. */
  etag: string;
  /** A prefix up to a slash, which stands for all objects below it. */
  folder: boolean;
}

/** Attempts without a byte more before an object is given up; within each the SDK makes its own. */
const ATTEMPTS = 5;
const FIRST_WAIT_MS = 500;
/** S3's limit for one request. */
const MAX_KEYS = 1000;

/** The objects of S3 buckets: lists, reads and writes them. */
export class S3Objects {
  readonly #connection: S3Connection;

  /**
   * `environment` is the process's, of which AWS's variables count. Without `signRequest` no credentials are looked for: public
   * buckets can be read so.
   */
  constructor(environment: Readonly<Record<string, string | undefined>>, signRequest: boolean) {
    this.#connection = sharedConnection(environment, signRequest);
  }

  /** Throws UsageError where what the environment says of S3 can't be used. */
  async check(): Promise<void> {
    await this.#connection.check();
  }

  /** The objects below a prefix. `deep`: also those behind a further slash; else these are listed as folders. Not sorted. */
  async *list({ bucket, key: prefix }: S3Location, deep: boolean, signal?: AbortSignal): AsyncGenerator<S3Entry> {
    const item = `The listing of ${s3Url({ bucket, key: prefix })}`;
    const fixed = { Bucket: bucket, Prefix: prefix, ...(!deep && { Delimiter: '/' }) };
    let token: string | undefined;
    do {
      const page = await this.#connection.request(bucket, item, ({ client, sdk }) =>
        client.send(new sdk.ListObjectsV2Command({ ...fixed, ...(token !== undefined && { ContinuationToken: token }) }), { abortSignal: signal }),
      );
      if (page.Name === undefined && page.KeyCount === undefined && page.IsTruncated === undefined)
        throw new UsageError(`${item}: what answered is no S3 service. Check AWS_ENDPOINT_URL.`);
      for (const { Key = '', Size = 0, ETag = '' } of page.Contents ?? []) yield { key: Key, bytes: Size, etag: ETag.replaceAll('"', ''), folder: false };
      for (const { Prefix = '' } of page.CommonPrefixes ?? []) yield { key: Prefix, bytes: 0, etag: '', folder: true };
      if (page.IsTruncated && (!page.NextContinuationToken || page.NextContinuationToken === token))
        throw new ShardError(`${item} does not go on after a page. Start the same command again.`);
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** Bytes of an object; undefined where there is none. */
  async size(object: S3Location): Promise<number | undefined> {
    return (await this.#head(object))?.ContentLength;
  }

  /**
   * The bytes of an object. A connection that breaks is taken up again where it broke, in the same version of the object. Throws
   * ShardError where it can't be had whole, AbsentObjectError where it is not there.
   */
  async *read(object: S3Location, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const item = s3Url(object);
    let read = 0;
    let whole: number | undefined;
    let tag: string | undefined;
    for (let attempt = 1; ; attempt++) {
      const resume = read > 0 ? { Range: `bytes=${read}-`, ...(tag !== undefined && { IfMatch: tag }) } : {};
      const answer = await this.#connection.request(object.bucket, item, ({ client, sdk }) =>
        client.send(new sdk.GetObjectCommand({ Bucket: object.bucket, Key: object.key, ...resume }), { abortSignal: signal }),
      );
      const body = answer.Body as Readable;
      if (signal) addAbortSignal(signal, body);
      if (read > 0 && !answer.ContentRange?.startsWith(`bytes ${read}-`)) {
        body.destroy();
        throw new ShardError(`${item}: the connection broke after ${read} bytes and the server does not resume. Start the same command again.`);
      }
      tag ??= answer.ETag;
      if (answer.ContentLength !== undefined) whole ??= read + answer.ContentLength;
      let problem: string;
      try {
        for await (const chunk of body as AsyncIterable<Uint8Array>) {
          read += chunk.length;
          attempt = 1;
          yield chunk;
        }
        if (whole === undefined || read === whole) return;
        problem = `the connection ended after ${read} of ${whole} bytes`;
      } catch (error) {
        if (signal?.aborted) throw error;
        problem = messageOf(error) || systemCode(error) || 'the connection broke';
        if (problem.startsWith('Checksum mismatch')) throw new ShardError(`${item} came damaged (${problem}). Start the same command again.`);
        if (read === whole) return;
      }
      if (attempt === ATTEMPTS) throw new ShardError(`${item}: ${problem}, ${ATTEMPTS} times. Start the same command again for what is missing.`);
      await wait(FIRST_WAIT_MS * 2 ** (attempt - 1), undefined, { signal });
    }
  }

  /** Some bytes of an object in the version of that tag; undefined where it is not there, or is another by now. Throws ShardError where they come short. */
  async readRange(object: S3Location, { offset, size }: { offset: number; size: number }, etag: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (size === 0) return new Uint8Array();
    const item = s3Url(object);
    const range = { Bucket: object.bucket, Key: object.key, Range: `bytes=${offset}-${offset + size - 1}`, ...(etag !== '' && { IfMatch: `"${etag}"` }) };
    const bytes = await this.#connection.requestUnless(
      object.bucket,
      item,
      (refusal) => refusal.status === 412 || isAbsent(refusal),
      async ({ client, sdk }) => (await client.send(new sdk.GetObjectCommand(range))).Body!.transformToByteArray(),
    );
    if (bytes && bytes.length !== size)
      throw new ShardError(`${item}: ${size} bytes from byte ${offset} on were asked for, and ${bytes.length} came. Try again.`);
    return bytes && new Uint8Array(bytes);
  }

  /** A small object as text; undefined where there is none. */
  async readText(object: S3Location): Promise<string | undefined> {
    try {
      return Buffer.concat(await Array.fromAsync(this.read(object))).toString('utf8');
    } catch (error) {
      if (error instanceof AbsentObjectError) return undefined;
      throw error;
    }
  }

  async writeText({ bucket, key }: S3Location, text: string): Promise<void> {
    await this.#connection.request(bucket, s3Url({ bucket, key }), ({ client, sdk }) =>
      client.send(new sdk.PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from(text) })),
    );
  }

  /** Writes a text only where there is no object; false where there is one. Of several that try at a time one gets true. */
  async createText(object: S3Location, text: string): Promise<boolean> {
    return this.#writeIf(object, text, { IfNoneMatch: '*' });
  }

  /**
   * Writes a text only over the text `before`; false where there is another or none. Of several that try at a time one gets true,
   * but where the service knows no conditional writes: there the last one is left.
   */
  async replaceText(object: S3Location, before: string, text: string): Promise<boolean> {
    // The tag comes first: one of an older object than the text is refused when we write.
    const tag = (await this.#head(object))?.ETag;
    if (tag === undefined || (await this.readText(object)) !== before) return false;
    return this.#writeIf(object, text, { IfMatch: tag });
  }

  async #writeIf(object: S3Location, text: string, condition: { IfNoneMatch: '*' } | { IfMatch: string }): Promise<boolean> {
    const { bucket, key } = object;
    const writer = randomUUID();
    const put = { Bucket: bucket, Key: key, Body: Buffer.from(text), Metadata: { [WRITER]: writer } };
    for (let attempt = 1; ; attempt++) {
      let reason: 'conflict' | 'unknown' | 'refused' | undefined;
      const expected = ({ status, code }: { status: number; code: string }): boolean => {
        // Another write is under way, which may yet fail.
        if (code === 'ConditionalRequestConflict' && attempt < ATTEMPTS) reason = 'conflict';
        else if (status === 501 && 'IfMatch' in condition) reason = 'unknown';
        else if (status === 412 || code === 'PreconditionFailed' || ('IfMatch' in condition && code === 'NoSuchKey')) reason = 'refused';
        return reason !== undefined;
      };
      const written = await this.#connection.requestUnless(bucket, s3Url(object), expected, ({ client, sdk }) =>
        client.send(new sdk.PutObjectCommand({ ...put, ...condition })),
      );
      if (written) return true;
      if (reason === 'unknown') {
        await this.writeText(object, text);
        return true;
      }
      // Where the answer to our write was lost, the SDK asks again and is told of another object: ours.
      if (reason === 'refused') return (await this.#head(object))?.Metadata?.[WRITER] === writer;
      await wait(FIRST_WAIT_MS * 2 ** (attempt - 1));
    }
  }

  /** Uploads a file, whole or not at all. */
  async upload(path: string, object: S3Location, signal?: AbortSignal): Promise<void> {
    await this.#connection.request(object.bucket, `The upload to ${s3Url(object)}`, (access) => uploadFile(access, path, object, signal));
  }

  /** Removes objects; those that are not there count as removed. */
  async remove(bucket: string, keys: readonly string[]): Promise<void> {
    for (let start = 0; start < keys.length; start += MAX_KEYS) await this.#removeBatch(bucket, keys.slice(start, start + MAX_KEYS));
  }

  async #removeBatch(bucket: string, keys: readonly string[]): Promise<void> {
    const item = `The removal of ${s3Url({ bucket, key: keys[0]! })}${keys.length > 1 ? ` and ${keys.length - 1} more` : ''}`;
    let left = keys;
    for (let attempt = 1; ; attempt++) {
      const Objects = left.map((Key) => ({ Key }));
      // Google's S3 has no such request, and older services want a checksum that the SDK no longer sends.
      const unknown = ({ status, code }: { status: number; code: string }): boolean =>
        status === 501 || status === 405 || /^(?:NotImplemented|MissingContentMD5|InvalidDigest)$/.test(code);
      const answer =
        left.length === 1
          ? undefined
          : await this.#connection.requestUnless(bucket, item, unknown, ({ client, sdk }) =>
              client.send(new sdk.DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } })),
            );
      if (!answer) {
        for (const key of left)
          await this.#connection.request(bucket, `The removal of ${s3Url({ bucket, key })}`, ({ client, sdk }) =>
            client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key })),
          );
        return;
      }
      const failed = (answer.Errors ?? []).filter(({ Code }) => Code !== 'NoSuchKey');
      if (failed.length === 0) return;
      const [{ Key = '', Code, Message } = {}] = failed;
      if (attempt === ATTEMPTS || failed.some(({ Code }) => Code === 'AccessDenied'))
        throw new ShardError(`${s3Url({ bucket, key: Key })} can't be removed: ${Code} (${Message}). The credentials must allow s3:DeleteObject.`);
      left = failed.map(({ Key = '' }) => Key);
      await wait(FIRST_WAIT_MS * 2 ** (attempt - 1));
    }
  }

  async #head(object: S3Location): Promise<{ ContentLength?: number; ETag?: string; Metadata?: Record<string, string> } | undefined> {
    const { bucket, key } = object;
    return this.#connection.requestUnless(bucket, s3Url(object), isAbsent, ({ client, sdk }) =>
      client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key })),
    );
  }
}

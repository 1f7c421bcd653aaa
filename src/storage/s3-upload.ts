import type { S3Client } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { S3Location } from './location.ts';
import type { S3Access } from './s3-connection.ts';
import { isAbsent, refusalOf } from './s3-error.ts';

/**
 * The field of an object's metadata that says which write made it. Where the answer to a write was lost, the SDK asks again, and
 * S3 answers that there is an object (or no such upload any more): with this field we see that it is ours.
 */
export const WRITER = 'pairmill-writer';

/** Larger files are uploaded in parts, which are sent again one by one when a connection breaks. */
const PART_BYTES = 8 * 1_048_576;
/** S3's limit. */
const MAX_PARTS = 10_000;
/** Parts of one file under way; each is in memory. */
const PARTS_AT_ONCE = 3;
const ATTEMPTS = 5;
/** What a new upload may mend: bytes were lost on the way, or a cleaning rule removed the parts. */
const WORTH_A_RETRY = /^(?:NoSuchUpload|BadDigest|RequestTimeout|InvalidPart)$/;

/**
 * Uploads a file. The object appears whole with the last request, or not at all; parts of an upload that failed are removed.
 * (Those of a process that was killed stay in the bucket, unlisted, until a lifecycle rule of the bucket removes them.)
 */
export async function uploadFile(access: S3Access, path: string, object: S3Location, signal?: AbortSignal): Promise<void> {
  const { size } = await stat(path);
  const writer = randomUUID();
  for (let attempt = 1; ; attempt++) {
    try {
      await uploadOnce(access, { path, size, object, writer }, signal);
      return;
    } catch (error) {
      const code = refusalOf(error)?.code ?? '';
      if (code === 'NoSuchUpload' && (await isWrittenBy(access, object, writer))) return;
      if (attempt === ATTEMPTS || !WORTH_A_RETRY.test(code)) throw error;
    }
  }
}

async function isWrittenBy({ client, sdk }: S3Access, { bucket, key }: S3Location, writer: string): Promise<boolean> {
  try {
    const { Metadata } = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }));
    return Metadata?.[WRITER] === writer;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal && isAbsent(refusal)) return false;
    throw error;
  }
}

interface Source {
  path: string;
  size: number;
  object: S3Location;
  writer: string;
}

async function uploadOnce({ client, sdk }: S3Access, { path, size, object, writer }: Source, signal?: AbortSignal): Promise<void> {
  const { Upload } = await import('@aws-sdk/lib-storage');
  signal?.throwIfAborted();
  // Upload.abort() would leave the requests under way to themselves; so each request gets the signal, but for the one that
  // removes the parts after it.
  const send = (command: Parameters<S3Client['send']>[0]): Promise<unknown> =>
    client.send(command, command instanceof sdk.AbortMultipartUploadCommand ? {} : { abortSignal: signal });
  const body = createReadStream(path, { highWaterMark: 1_048_576 });
  try {
    await new Upload({
      client: { config: client.config, send } as unknown as S3Client,
      params: { Bucket: object.bucket, Key: object.key, Body: body, ContentLength: size, Metadata: { [WRITER]: writer } },
      partSize: Math.max(PART_BYTES, Math.ceil(size / MAX_PARTS)),
      queueSize: PARTS_AT_ONCE,
    }).done();
  } finally {
    body.destroy();
  }
}

import { setTimeout as wait } from 'node:timers/promises';
import { Parser } from 'htmlparser2';
import { messageOf, PairmillError, ShardError } from '../contracts/errors.ts';
import type { S3Client } from './s3-client.ts';
import { encodeRfc3986, type S3Location } from './s3-location.ts';

export interface S3Object {
  key: string;
  /** ETag where the listing has one, else the size: changes when the object does. */
  identity: string;
}

/** Attempts at one page of a listing. */
const ATTEMPTS = 5;
const FIRST_WAIT_MS = 500;
const PAGE_TIMEOUT_MS = 60_000;

/**
 * The objects below a prefix, in S3's order, page by page (ListObjectsV2). `deep`: also those behind a further slash.
 * Throws ShardError where the bucket can't be listed.
 */
export async function* listObjects(client: S3Client, { bucket, key: prefix }: S3Location, deep: boolean): AsyncGenerator<S3Object> {
  let token: string | undefined;
  do {
    const query: Record<string, string> = { 'list-type': '2', prefix };
    if (!deep) query['delimiter'] = '/';
    if (token !== undefined) query['continuation-token'] = token;
    const page = parsePage(await pageText(client, { bucket, key: prefix }, query));
    yield* page.objects;
    if (page.truncated && (!page.next || page.next === token)) throw new ShardError(`The listing of s3://${bucket}/${prefix} does not go on after a page.`);
    token = page.truncated ? page.next : undefined;
  } while (token !== undefined);
}

async function pageText(client: S3Client, { bucket, key: prefix }: S3Location, query: Record<string, string>): Promise<string> {
  const item = `The listing of s3://${bucket}/${prefix}`;
  const encoded = Object.entries(query)
    .map(([name, value]) => `${name}=${encodeRfc3986(value)}`)
    .sort()
    .join('&');
  for (let attempt = 1; ; attempt++) {
    let problem: string;
    try {
      const response = await client.get({ bucket, key: '' }, { item, query: encoded, signal: AbortSignal.timeout(PAGE_TIMEOUT_MS) });
      if (response.ok) return await response.text();
      problem = `the server answered ${response.status} ${response.statusText}`;
      await response.body?.cancel();
    } catch (error) {
      if (error instanceof PairmillError) throw error;
      problem = messageOf(error instanceof Error && error.cause ? error.cause : error);
    }
    if (attempt === ATTEMPTS) throw new ShardError(`${item}: ${problem}, ${ATTEMPTS} times. Start the same command again.`);
    await wait(FIRST_WAIT_MS * 2 ** (attempt - 1));
  }
}

/** Objects of one page; where more follow, the token of the next page. */
function parsePage(xml: string): { objects: S3Object[]; truncated: boolean; next: string | undefined } {
  if (!/<ListBucketResult[\s>]/.test(xml)) throw new ShardError('What answered to a listing of s3:// is no S3 service. Check AWS_ENDPOINT_URL.');
  const objects: S3Object[] = [];
  const page = new Map<string, string>();
  let object = new Map<string, string>();
  const open: string[] = [];
  let text = '';
  const parser = new Parser(
    {
      onopentag: (name) => {
        open.push(name);
        text = '';
        if (open.length === 2 && name === 'Contents') object = new Map();
      },
      ontext: (part) => void (text += part),
      onclosetag: (name) => {
        if (open.length === 2 && name === 'Contents') objects.push(objectOf(object));
        else if (open.length === 2) page.set(name, text);
        else if (open.length === 3 && open[1] === 'Contents') object.set(name, text);
        open.pop();
      },
    },
    { xmlMode: true },
  );
  parser.write(xml);
  parser.end();
  return { objects, truncated: page.get('IsTruncated') === 'true', next: page.get('NextContinuationToken') };
}

function objectOf(fields: ReadonlyMap<string, string>): S3Object {
  const tag = fields.get('ETag')?.replaceAll('"', '');
  return { key: fields.get('Key') ?? '', identity: tag ? `ETag ${tag}` : `${fields.get('Size') ?? ''} bytes` };
}

import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { startServer } from './loopback-server.ts';

export const keys = { id: 'AKIDLOOPBACK0000TEST', secret: 'Secret/of+the=loopback', token: 'token/of+the=session==' };

/** What is signed of a request, as it is on the wire. */
export interface WireRequest {
  method: string;
  /** Path and query, encoded. */
  url: string;
  headers: Record<string, string | string[] | undefined>;
}

/**
 * The Signature V4 of a request, from AWS's description and node:crypto alone: "Authenticating Requests: Using the
 * Authorization Header" of the S3 API reference.
 */
export function signatureOf({ method, url, headers }: WireRequest, secret: string, scope: string, signedHeaders: string): string {
  const strict = (text: string): string =>
    [...Buffer.from(text)]
      .map((byte) => (/[A-Za-z0-9\-._~]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`))
      .join('');
  const [path, query = ''] = url.split('?');
  const canonical = [
    method,
    path!
      .split('/')
      .map((part) => strict(decodeURIComponent(part)))
      .join('/'),
    query
      .split('&')
      .filter(Boolean)
      .map((pair) => pair.split('='))
      .map(([name, value = '']) => `${strict(decodeURIComponent(name!))}=${strict(decodeURIComponent(value))}`)
      .sort()
      .join('&'),
    ...signedHeaders.split(';').map((name) => `${name}:${String(headers[name]).trim().replaceAll(/ +/g, ' ')}`),
    '',
    signedHeaders,
    headers['x-amz-content-sha256'],
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  let key: Buffer | string = `AWS4${secret}`;
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  return createHmac('sha256', key).update(toSign).digest('hex');
}

export interface S3Server {
  endpoint: string;
  objects: Map<string, Buffer>;
  /** `METHOD URL RANGE` of every request. */
  requests: string[];
  /** Answers that come before the usual one, first to last. */
  instead: ((request: IncomingMessage, response: ServerResponse) => void)[];
}

export interface S3ServerSettings {
  bucket?: string;
  region?: string;
  /** Anyone may read. */
  open?: boolean;
  /** Keys a page of a listing. */
  pageKeys?: number;
}

/** An S3 service with one bucket, which checks signatures. Answers and their order of checks are those of S3's reference. */
export async function startS3Server({ bucket = 'crawl', region = 'eu-central-1', open = false, pageKeys = 2 }: S3ServerSettings = {}): Promise<S3Server> {
  const objects = new Map<string, Buffer>();
  const requests: string[] = [];
  const instead: S3Server['instead'] = [];
  const answerRequest = (request: IncomingMessage, response: ServerResponse): unknown => {
    requests.push([request.method, request.url, request.headers.range].filter((part) => part !== undefined).join(' '));
    const answer = instead.shift();
    if (answer) return answer(request, response);
    const url = new URL(request.url!, 'http://host');
    const [, asked, ...rest] = url.pathname.split('/').map(decodeURIComponent);
    if (asked !== bucket) return refuse(response, 404, 'NoSuchBucket', 'The specified bucket does not exist');
    const problem = open && request.headers.authorization === undefined ? undefined : checkSignature(request, region);
    if (problem === 'wrong region') {
      response.setHeader('x-amz-bucket-region', region);
      return refuse(response, 301, 'PermanentRedirect', 'The bucket you are attempting to access must be addressed using the specified endpoint.');
    }
    if (problem) return refuse(response, 403, problem, 'Refused');
    if (url.searchParams.get('list-type') === '2') return response.end(listing(objects, url.searchParams, pageKeys));
    return sendObject(request, response, objects.get(rest.join('/')));
  };
  const { port } = await startServer((request, response) => void answerRequest(request, response));
  return { endpoint: `http://127.0.0.1:${port}`, objects, requests, instead };
}

export function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><RequestId>1</RequestId></Error>`);
}

function checkSignature({ method, url, headers }: IncomingMessage, region: string): string | undefined {
  const [, id, scope, signedHeaders, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(headers.authorization ?? '') ?? [];
  if (id === undefined) return 'AccessDenied';
  if (id !== keys.id) return 'InvalidAccessKeyId';
  if (headers['x-amz-security-token'] !== undefined && headers['x-amz-security-token'] !== keys.token) return 'InvalidToken';
  const [date, of, ...service] = scope!.split('/');
  if (of !== region) return 'wrong region';
  const needed = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))];
  const signed = signedHeaders!.split(';');
  if (service.join('/') !== 's3/aws4_request' || !String(headers['x-amz-date']).startsWith(date!) || needed.some((name) => !signed.includes(name)))
    return 'AuthorizationHeaderMalformed';
  return signatureOf({ method: method!, url: url!, headers }, keys.secret, scope!, signedHeaders!) === signature ? undefined : 'SignatureDoesNotMatch';
}

function listing(objects: ReadonlyMap<string, Buffer>, query: URLSearchParams, pageKeys: number): string {
  const [prefix, delimiter, token] = [query.get('prefix') ?? '', query.get('delimiter'), query.get('continuation-token')];
  const matching = [...objects.keys()].sort().filter((key) => key.startsWith(prefix) && !(delimiter && key.slice(prefix.length).includes(delimiter)));
  // A token is opaque and full of signs.
  const from = token === null ? 0 : Number(Buffer.from(token.slice(4), 'base64').toString());
  const page = matching.slice(from, from + pageKeys);
  const more = from + pageKeys < matching.length;
  const text = (value: string): string => value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>crawl</Name>',
    `<Prefix>${text(prefix)}</Prefix><KeyCount>${page.length}</KeyCount><IsTruncated>${more}</IsTruncated>`,
    more ? `<NextContinuationToken>+/=&amp;${Buffer.from(String(from + pageKeys)).toString('base64')}</NextContinuationToken>` : '',
    ...page.map(
      (key) => `<Contents><Key>${text(key)}</Key><ETag>&quot;${tagOf(objects.get(key)!)}&quot;</ETag><Size>${objects.get(key)!.length}</Size></Contents>`,
    ),
    '<CommonPrefixes><Prefix>below/</Prefix></CommonPrefixes></ListBucketResult>',
  ].join('');
}

function tagOf(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

function sendObject({ headers }: IncomingMessage, response: ServerResponse, bytes: Buffer | undefined): void {
  if (!bytes) return refuse(response, 404, 'NoSuchKey', 'The specified key does not exist.');
  const tag = `"${tagOf(bytes)}"`;
  if (headers['if-match'] !== undefined && headers['if-match'] !== tag) return refuse(response, 412, 'PreconditionFailed', 'A precondition does not hold');
  const start = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
  response.writeHead(start > 0 ? 206 : 200, { etag: tag, 'content-length': bytes.length - start });
  response.end(bytes.subarray(start));
}

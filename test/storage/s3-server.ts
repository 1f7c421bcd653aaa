import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { crc32 } from 'node:zlib';
import { startServer } from '../net/loopback-server.ts';

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
  /** Multipart uploads that are neither completed nor aborted, and their parts. */
  uploads: Map<string, { key: string; metadata: Record<string, string>; parts: Map<number, Buffer> }>;
  /** `METHOD URL RANGE` of every request; without the SDK's `x-id`. */
  requests: string[];
  /** Answers that come before the usual one, first to last. */
  instead: ((request: IncomingMessage, response: ServerResponse) => void)[];
  /** Every so many requests one fails: answers 500, or hangs up before it did what was asked, in the answer, or after. 0: none. */
  faultEvery: number;
  faults: number;
  /** Requests that are answered with 500, or with 501 where it says so. */
  refuses: (request: IncomingMessage) => boolean | 'NotImplemented';
  /** Called for each connection that a client opens. */
  connected: () => void;
  /** Whether to hang up after doing what was asked. */
  losesAnswer: (request: IncomingMessage) => boolean;
}

export interface S3ServerSettings {
  bucket?: string;
  region?: string;
  /** Anyone may read. */
  open?: boolean;
  /** Keys a page of a listing. */
  pageKeys?: number;
}

interface Asked {
  method: string;
  key: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: Buffer;
}
interface Answer {
  status: number;
  headers?: Record<string, string | number>;
  body?: Buffer | string;
}
class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message = 'Refused') {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const FAULTS = ['500', 'cut before', 'cut within', 'cut after'] as const;
/** Of all parts of an upload but the last. */
const MIN_PART_BYTES = 5 * 1_048_576;

/** An S3 service with one bucket, which checks signatures and checksums. Answers and their order of checks are those of S3's reference. */
export async function startS3Server({ bucket = 'crawl', region = 'eu-central-1', open = false, pageKeys = 2 }: S3ServerSettings = {}): Promise<S3Server> {
  const bucketState = new Bucket(pageKeys);
  const { objects, uploads } = bucketState;
  const state: S3Server = {
    endpoint: '',
    objects,
    uploads,
    requests: [],
    instead: [],
    faultEvery: 0,
    faults: 0,
    refuses: () => false,
    connected: () => undefined,
    losesAnswer: () => false,
  };
  const answerRequest = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url!, 'http://host');
    const shown = request.url!.replace(/([?&])x-id=\w+&?/, '$1').replace(/[?&]$/, '');
    const number = state.requests.push([request.method, shown, request.headers.range].filter((part) => part !== undefined).join(' '));
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
    const answer = state.instead.shift();
    if (answer) return answer(request, response);
    const fault = state.faultEvery > 0 && number % state.faultEvery === 0 ? FAULTS[state.faults++ % FAULTS.length] : undefined;
    const refused = state.refuses(request);
    if (refused === 'NotImplemented') return refuse(response, 501, refused, 'A header you provided implies functionality that is not implemented.');
    if (fault === '500' || refused) return refuse(response, 500, 'InternalError', 'We encountered an internal error. Please try again.');
    if (fault === 'cut before') return void request.socket.destroy();
    const [, asked, ...rest] = url.pathname.split('/').map(decodeURIComponent);
    try {
      if (asked !== bucket) throw new Refusal(404, 'NoSuchBucket', 'The specified bucket does not exist');
      const problem = open && request.headers.authorization === undefined ? undefined : checkSignature(request, region);
      if (problem === 'wrong region') {
        response.setHeader('x-amz-bucket-region', region);
        throw new Refusal(301, 'PermanentRedirect', 'The bucket you are attempting to access must be addressed using the specified endpoint.');
      }
      if (problem) throw new Refusal(403, problem);
      checkBody(request.headers, body);
      const given = bucketState.answer({ method: request.method!, key: rest.join('/'), query: url.searchParams, headers: request.headers, body });
      if (fault === 'cut after' || state.losesAnswer(request)) return void request.socket.destroy();
      const content = Buffer.from(given.body ?? '');
      response.writeHead(given.status, { 'content-length': content.length, ...given.headers });
      if (fault !== 'cut within') return void response.end(request.method === 'HEAD' ? undefined : content);
      response.write(content.subarray(0, content.length >> 1), () => setTimeout(() => request.socket.destroy(), 20));
      if (content.length < 2) request.socket.destroy();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refuse(response, error.status, error.code, error.message);
    }
  };
  const { port, server } = await startServer((request, response) => answerRequest(request, response).catch(() => void request.socket.destroy()));
  server.on('connection', () => state.connected());
  state.endpoint = `http://127.0.0.1:${port}`;
  return state;
}

/** The objects of a bucket and what S3's requests do with them. */
class Bucket {
  readonly objects = new Map<string, Buffer>();
  readonly metadata = new Map<string, Record<string, string>>();
  readonly uploads: S3Server['uploads'] = new Map();
  readonly #pageKeys: number;
  #nextUpload = 1;

  constructor(pageKeys: number) {
    this.#pageKeys = pageKeys;
  }

  answer(asked: Asked): Answer {
    const { method, key, query } = asked;
    if (key === '') {
      if (method === 'GET' && query.get('list-type') === '2') return { status: 200, body: listing(this.objects, query, this.#pageKeys) };
      if (method === 'POST' && query.has('delete')) return this.#deleteAll(asked.body.toString());
    } else if (method === 'GET' || method === 'HEAD') return this.#get(asked);
    else if (query.has('uploads') || query.has('uploadId')) return this.#multipart(asked);
    else if (method === 'PUT') return this.#put(asked);
    else if (method === 'DELETE') {
      this.objects.delete(key);
      return { status: 204 };
    }
    throw new Refusal(501, 'NotImplemented', `${method} ${key}`);
  }

  #get({ key, headers }: Asked): Answer {
    const bytes = this.objects.get(key);
    if (!bytes) throw new Refusal(404, 'NoSuchKey', 'The specified key does not exist.');
    const etag = `"${tagOf(bytes)}"`;
    if (headers['if-match'] !== undefined && headers['if-match'] !== etag) throw new Refusal(412, 'PreconditionFailed', 'A precondition does not hold');
    const [asked, from = 0, to = bytes.length - 1] = /bytes=(\d+)-(\d+)?/.exec(headers.range ?? '') ?? [];
    const start = Number(from);
    if (start > 0 && start >= bytes.length) throw new Refusal(416, 'InvalidRange', 'The requested range is not satisfiable');
    const body = bytes.subarray(start, Number(to) + 1);
    const range: Record<string, string> = asked === undefined ? {} : { 'content-range': `bytes ${start}-${start + body.length - 1}/${bytes.length}` };
    return { status: asked === undefined ? 200 : 206, headers: { etag, 'content-length': body.length, ...range, ...this.metadata.get(key) }, body };
  }

  #put({ key, headers, body }: Asked): Answer {
    const before = this.objects.get(key);
    if (headers['if-none-match'] === '*' && before) throw new Refusal(412, 'PreconditionFailed', 'A precondition does not hold');
    if (headers['if-match'] !== undefined) {
      if (!before) throw new Refusal(404, 'NoSuchKey', 'The specified key does not exist.');
      if (headers['if-match'] !== `"${tagOf(before)}"`) throw new Refusal(412, 'PreconditionFailed', 'A precondition does not hold');
    }
    this.objects.set(key, body);
    this.metadata.set(key, metadataOf(headers));
    return { status: 200, headers: { etag: `"${tagOf(body)}"` } };
  }

  #multipart({ method, key, query, headers, body }: Asked): Answer {
    if (query.has('uploads')) {
      const id = `upload-${this.#nextUpload++}`;
      this.uploads.set(id, { key, metadata: metadataOf(headers), parts: new Map() });
      return { status: 200, body: `<InitiateMultipartUploadResult><Key>${textOf(key)}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>` };
    }
    const id = query.get('uploadId')!;
    const upload = this.uploads.get(id);
    if (!upload || upload.key !== key) throw new Refusal(404, 'NoSuchUpload', 'The specified multipart upload does not exist.');
    if (method === 'PUT') {
      upload.parts.set(Number(query.get('partNumber')), body);
      return { status: 200, headers: { etag: `"${tagOf(body)}"` } };
    }
    this.uploads.delete(id);
    if (method === 'DELETE') return { status: 204 };
    const listed = [...body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part]) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part!)![1]),
      etag: /<ETag>(.*?)</.exec(part!)![1]!.replaceAll(/&quot;|"/g, ''),
    }));
    const parts = listed.map(({ number, etag }) => {
      const part = upload.parts.get(number);
      if (!part || tagOf(part) !== etag) throw new Refusal(400, 'InvalidPart', 'One or more of the specified parts could not be found.');
      return part;
    });
    if (parts.slice(0, -1).some(({ length }) => length < MIN_PART_BYTES)) throw new Refusal(400, 'EntityTooSmall', 'A part is too small.');
    this.objects.set(key, Buffer.concat(parts));
    this.metadata.set(key, upload.metadata);
    return {
      status: 200,
      body: `<CompleteMultipartUploadResult><Key>${textOf(key)}</Key><ETag>&quot;x-${parts.length}&quot;</ETag></CompleteMultipartUploadResult>`,
    };
  }

  #deleteAll(xml: string): Answer {
    const keys = [...xml.matchAll(/<Key>(.*?)<\/Key>/gs)].map(([, key]) => key!.replaceAll(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => entities[name]!));
    if (keys.length > 1000) throw new Refusal(400, 'MalformedXML', 'More than 1000 keys');
    for (const key of keys) this.objects.delete(key);
    return { status: 200, body: '<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></DeleteResult>' };
  }
}

const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

/** What the client says of a body must hold. */
function checkBody(headers: IncomingMessage['headers'], body: Buffer): void {
  if (headers['content-encoding'] === 'aws-chunked') throw new Refusal(501, 'NotImplemented', 'Many services know no trailers');
  const sum = headers['x-amz-checksum-crc32'];
  const held = Buffer.alloc(4);
  held.writeUInt32BE(crc32(body));
  if (typeof sum === 'string' && body.length > 0 && !body.includes('<CompleteMultipartUpload') && sum !== held.toString('base64'))
    throw new Refusal(400, 'BadDigest', 'The checksum does not fit');
  const hash = headers['x-amz-content-sha256'];
  if (typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash) && hash !== createHash('sha256').update(body).digest('hex'))
    throw new Refusal(400, 'XAmzContentSHA256Mismatch', 'The hash does not fit');
}

export function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  if (response.req.method === 'HEAD') return void response.end();
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
  const entries = new Set<string>();
  for (const key of [...objects.keys()].sort().filter((key) => key.startsWith(prefix))) {
    const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    // A common prefix ends with the delimiter; so may a key, which then is its own prefix.
    entries.add(end < 0 ? key : `${key.slice(0, end + 1)}\0`);
  }
  const matching = [...entries];
  // A token is opaque and full of signs.
  const from = token === null ? 0 : Number(Buffer.from(token.slice(4), 'base64').toString());
  const page = matching.slice(from, from + pageKeys);
  const more = from + pageKeys < matching.length;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>crawl</Name>',
    `<Prefix>${textOf(prefix)}</Prefix><KeyCount>${page.length}</KeyCount><IsTruncated>${more}</IsTruncated>`,
    more ? `<NextContinuationToken>+/=&amp;${Buffer.from(String(from + pageKeys)).toString('base64')}</NextContinuationToken>` : '',
    ...page.map((entry) => {
      if (entry.endsWith('\0')) return `<CommonPrefixes><Prefix>${textOf(entry.slice(0, -1))}</Prefix></CommonPrefixes>`;
      const bytes = objects.get(entry)!;
      return `<Contents><Key>${textOf(entry)}</Key><ETag>&quot;${tagOf(bytes)}&quot;</ETag><Size>${bytes.length}</Size></Contents>`;
    }),
    '</ListBucketResult>',
  ].join('');
}

function metadataOf(headers: IncomingMessage['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (name.startsWith('x-amz-meta-') ? [[name, String(value)]] : [])));
}

function textOf(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function tagOf(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

import { AwsV4Signer } from 'aws4fetch';
import { type AwsSettings, readAwsSettings } from './aws-settings.ts';
import { readRefusal, refusalError } from './s3-error.ts';
import { encodeKey, type S3Location } from './s3-location.ts';

/** sha256 of nothing: the body of every request here. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
/** Redirects that are followed for one request. */
const MOST_REDIRECTS = 3;

/** Regions of buckets as their answers told, by endpoint and bucket: asked for once a thread. */
const regions = new Map<string, string>();

export interface S3Request {
  /** How errors name what is asked for. */
  item: string;
  /** Encoded, without the question mark. */
  query?: string;
  headers?: Record<string, string>;
  signal: AbortSignal;
}

/** Reads from S3: signed (AWS Signature V4) where there are credentials. Plain GET requests, nothing is ever written. */
export class S3Client {
  readonly #variables: Readonly<Record<string, string>>;
  readonly #sign: boolean;
  #settings: Promise<AwsSettings> | undefined;

  /** `variables` as `awsVariables` gives them; files are read when the first request needs them. */
  constructor(variables: Readonly<Record<string, string>> = {}, sign = true) {
    this.#variables = variables;
    this.#sign = sign;
  }

  /** Throws UsageError where what the environment says can't be used. */
  async check(): Promise<void> {
    await (this.#settings ??= readAwsSettings(this.#variables, this.#sign));
  }

  /**
   * The answer to a GET; only such as are ok, or may be better a moment later (429, 5xx). Redirects to the bucket's region
   * are followed. Throws ShardError for other answers.
   */
  async get({ bucket, key }: S3Location, { item, query, headers, signal }: S3Request): Promise<Response> {
    const settings = await (this.#settings ??= readAwsSettings(this.#variables, this.#sign));
    const place = `${settings.endpoint ?? ''} ${bucket}`;
    let elsewhere: URL | undefined;
    for (let redirects = 0; ; redirects++) {
      const region = regions.get(place) ?? settings.region;
      const url = elsewhere ?? new URL(`${bucketUrl(settings.endpoint, bucket, region)}/${encodeKey(key)}${query ? `?${query}` : ''}`);
      const response = await fetch(url, { headers: await requestHeaders(url, region, settings, headers), redirect: 'manual', signal });
      if (response.ok || response.status === 429 || response.status >= 500) return response;
      const refusal = await readRefusal(response);
      const location = refusal.location === undefined ? undefined : URL.parse(refusal.location, url.href);
      if (redirects < MOST_REDIRECTS && refusal.region !== undefined && refusal.region !== region) {
        regions.set(place, refusal.region);
        elsewhere = undefined;
      } else if (redirects < MOST_REDIRECTS && location && refusal.status < 400 && isSameService(location, url)) elsewhere = location;
      else throw refusalError(item, refusal, settings.credentials !== undefined, url.host);
    }
  }
}

/** Host of the bucket on AWS; path style elsewhere, and where dots in the name would break the certificate. */
function bucketUrl(endpoint: string | undefined, bucket: string, region: string): string {
  if (endpoint !== undefined) return `${endpoint}/${bucket}`;
  const domain = `s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  return bucket.includes('.') ? `https://${domain}/${bucket}` : `https://${bucket}.${domain}`;
}

async function requestHeaders(url: URL, region: string, { credentials }: AwsSettings, headers: Record<string, string> = {}): Promise<Headers> {
  if (!credentials) return new Headers(headers);
  const signer = new AwsV4Signer({ url: url.href, headers: { ...headers, 'x-amz-content-sha256': EMPTY_SHA256 }, service: 's3', region, ...credentials });
  return (await signer.sign()).headers;
}

/** A session token goes along with a signed request, so it is not sent to just any address. */
function isSameService(location: URL, from: URL): boolean {
  const aws = /\.amazonaws\.com(?:\.cn)?$/;
  return location.host === from.host || (location.protocol === 'https:' && aws.test(location.hostname) && aws.test(from.hostname));
}

import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { messageOf, UsageError } from '../contracts/errors.ts';
import { refusalOf, type S3Refusal, s3Error } from './s3-error.ts';
import { checkedEndpoint, readS3Settings, type S3Settings } from './s3-settings.ts';

type Sdk = typeof import('@aws-sdk/client-s3');

/** What a request is made with. */
export interface S3Access {
  client: S3Client;
  sdk: Sdk;
}

/** Its waits double. The SDK's own 3 give up within 0.2 s; 8 last for 1-4 s (measured), after which the shard is tried again. */
const MOST_ATTEMPTS = 8;
const CONNECT_TIMEOUT_MS = 10_000;
/** Without a byte in either direction. */
const IDLE_TIMEOUT_MS = 60_000;

/** AWS's own client and how it is set up here. */
interface Connected {
  sdk: Sdk;
  config: S3ClientConfig;
  region: string;
  host: string;
  signed: boolean;
}

/**
 * Requests to S3 by AWS's own client, which is loaded with the first of them. Credentials, region and endpoint are found as AWS's
 * tools find them; without credentials, or where it is told so, requests are not signed. A bucket of another region is followed
 * there.
 */
export class S3Connection {
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #sign: boolean;
  #connected: Promise<Connected> | undefined;
  /** By region. */
  readonly #clients = new Map<string, S3Client>();
  /** Of buckets that are not in the region of the settings. */
  readonly #regions = new Map<string, string>();

  constructor(environment: Readonly<Record<string, string | undefined>>, sign: boolean) {
    this.#environment = environment;
    this.#sign = sign;
  }

  /** Throws UsageError where what the environment says can't be used. */
  async check(): Promise<void> {
    await this.#connect();
  }

  /** Does work on a bucket. Throws what `s3Error` makes of an error; `item` names what is asked for. */
  async request<T>(bucket: string, item: string, work: (access: S3Access) => Promise<T>): Promise<T> {
    try {
      return await this.#inRegion(bucket, work);
    } catch (error) {
      throw await this.#errorOf(error, item);
    }
  }

  /** The same, but undefined for answers that are `expected`. */
  async requestUnless<T>(
    bucket: string,
    item: string,
    expected: (refusal: S3Refusal) => boolean,
    work: (access: S3Access) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await this.#inRegion(bucket, work);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal && expected(refusal)) return undefined;
      throw await this.#errorOf(error, item);
    }
  }

  async #inRegion<T>(bucket: string, work: (access: S3Access) => Promise<T>): Promise<T> {
    const { sdk, config, region: home } = await this.#connect();
    const region = this.#regions.get(bucket) ?? home;
    try {
      return await work({ sdk, client: this.#client(sdk, config, region) });
    } catch (error) {
      const other = refusalOf(error)?.region;
      if (other === undefined || other === region) throw error;
      this.#regions.set(bucket, other);
      return work({ sdk, client: this.#client(sdk, config, other) });
    }
  }

  #client(sdk: Sdk, config: S3ClientConfig, region: string): S3Client {
    const client = this.#clients.get(region) ?? new sdk.S3Client({ ...config, region });
    this.#clients.set(region, client);
    return client;
  }

  async #errorOf(error: unknown, item: string): Promise<Error> {
    const { host, signed } = await this.#connect();
    const secrets = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_ACCESS_KEY_ID'].flatMap((name) => this.#environment[name]?.trim() || []);
    return s3Error(error, { item, host, signed, secrets });
  }

  #connect(): Promise<Connected> {
    return (this.#connected ??= connect(readS3Settings(this.#environment), this.#sign));
  }
}

async function connect(settings: S3Settings, sign: boolean): Promise<Connected> {
  const sdk = await import('@aws-sdk/client-s3');
  const base: S3ClientConfig = {
    maxAttempts: MOST_ATTEMPTS,
    retryMode: 'standard',
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
    // Asked for, each part of an upload would open a connection of its own.
    expectContinueHeader: false,
    ...(settings.profile !== undefined && { profile: settings.profile }),
    ...(settings.region !== undefined && { region: settings.region }),
    ...(settings.credentials && { credentials: settings.credentials }),
  };
  // Not for requests: it finds what the settings leave out.
  const { config } = new sdk.S3Client(base);
  const endpoint = settings.endpoint ?? (await configuredEndpoint(config));
  const region = await config.region().catch(() => 'us-east-1');
  const credentials = sign && (await haveCredentials(config, settings)) ? config.credentials : undefined;
  return {
    sdk,
    region,
    host: endpoint === undefined ? 'S3' : new URL(endpoint).host,
    signed: credentials !== undefined,
    config: {
      ...base,
      // Few services other than AWS's have a host name for each bucket.
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      ...(credentials ? { credentials } : { credentials: { accessKeyId: '', secretAccessKey: '' }, signer: { sign: (request) => Promise.resolve(request) } }),
    },
  };
}

/** The profile's `endpoint_url`. */
async function configuredEndpoint(config: S3Client['config']): Promise<string | undefined> {
  const { serviceConfiguredEndpoint } = config as { serviceConfiguredEndpoint?: () => Promise<string | undefined> };
  const endpoint = await serviceConfiguredEndpoint?.();
  return endpoint === undefined ? undefined : checkedEndpoint(endpoint);
}

/** False where there are none at all. Throws UsageError where there should be: a profile is named, or a login has expired. */
async function haveCredentials(config: S3Client['config'], { profile }: S3Settings): Promise<boolean> {
  try {
    await config.credentials();
    return true;
  } catch (error) {
    const none = messageOf(error).includes('Could not load credentials from any providers');
    if (none && profile === undefined) return false;
    const reason = none ? `AWS_PROFILE is ${profile}, for which there are none` : messageOf(error).replace(/\.$/, '');
    throw new UsageError(
      `The credentials for s3:// can't be had: ${reason}. Name another profile or log in again (aws sso login), or read a public bucket with --no-sign-request.`,
    );
  }
}

import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { messageOf, UsageError } from '../contracts/errors.ts';
import { isCutAnswer, refusalOf, type S3Refusal, s3Error } from './s3-error.ts';
import { checkedEndpoint, readS3Settings, type S3Settings } from './s3-settings.ts';

type Sdk = typeof import('@aws-sdk/client-s3');

/** What a request is made with. */
export interface S3Access {
  client: S3Client;
  sdk: Sdk;
}

/**
 * Their waits double, each a random share of its length: 10 last for 13 s on average. An upload gives up with the first of its
 * parts that does, and the whole shard with it; the 8 before lasted for 3 s.
 */
const MAX_ATTEMPTS = 10;
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
    let client = this.#clients.get(region);
    if (!client) {
      client = new sdk.S3Client({ ...config, region });
      retryCutAnswers(client);
      this.#clients.set(region, client);
    }
    return client;
  }

  async #errorOf(error: unknown, item: string): Promise<Error> {
    const { host, signed } = await this.#connect();
    const secrets = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_ACCESS_KEY_ID'].flatMap((name) => this.#environment[name]?.trim() || []);
    return s3Error(error, { item, host, signed, secrets });
  }

  async #connect(): Promise<Connected> {
    try {
      return await (this.#connected ??= connect(readS3Settings(this.#environment), this.#sign));
    } catch (error) {
      // A login that was missing may be there the next time.
      this.#connected = undefined;
      throw error;
    }
  }
}

/** By the environment that they were set up with. */
const shared = { signed: new WeakMap<object, S3Connection>(), unsigned: new WeakMap<object, S3Connection>() };

/** The one connection of everything that was given this environment: a client looks for credentials anew and has sockets of its own. */
export function sharedConnection(environment: Readonly<Record<string, string | undefined>>, sign: boolean): S3Connection {
  const connections = sign ? shared.signed : shared.unsigned;
  let connection = connections.get(environment);
  if (!connection) connections.set(environment, (connection = new S3Connection(environment, sign)));
  return connection;
}

/** The SDK asks again after a broken connection, but not after an answer whose XML ends in the middle, as a proxy may pass it on. */
function retryCutAnswers(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (request) => {
      try {
        return await next(request);
      } catch (error) {
        if (error instanceof Error && isCutAnswer(error)) Object.assign(error, { $retryable: {} });
        throw error;
      }
    },
    { step: 'deserialize', priority: 'high', name: 'retryCutAnswers' },
  );
}

async function connect(settings: S3Settings, sign: boolean): Promise<Connected> {
  const sdk = await import('@aws-sdk/client-s3');
  const base: S3ClientConfig = {
    maxAttempts: MAX_ATTEMPTS,
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

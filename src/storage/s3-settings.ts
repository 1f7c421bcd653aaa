import { UsageError } from '../contracts/errors.ts';

/** What the environment says of S3; what it leaves out, the SDK finds in AWS's files, roles, SSO and the machine's metadata. */
export interface S3Settings {
  /** Keys that stand in the environment itself. */
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
  region: string | undefined;
  /** Of a service other than AWS's: MinIO, Ceph, R2. */
  endpoint: string | undefined;
  profile: string | undefined;
}

/** Reads AWS's variables. Throws UsageError where they can't be used. */
export function readS3Settings(environment: Readonly<Record<string, string | undefined>>): S3Settings {
  const value = (name: string): string | undefined => environment[name]?.trim() || undefined;
  const accessKeyId = value('AWS_ACCESS_KEY_ID');
  const secretAccessKey = value('AWS_SECRET_ACCESS_KEY');
  const sessionToken = value('AWS_SESSION_TOKEN');
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined))
    throw new UsageError('Of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set. Set both, or neither to read public buckets.');
  const endpoint = value('AWS_ENDPOINT_URL_S3') ?? value('AWS_ENDPOINT_URL');
  return {
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) } : undefined,
    region: value('AWS_REGION') ?? value('AWS_DEFAULT_REGION'),
    endpoint: endpoint && checkedEndpoint(endpoint),
    profile: value('AWS_PROFILE'),
  };
}

/** Throws UsageError where an endpoint is no plain URL: one with a password would stand in messages. */
export function checkedEndpoint(endpoint: string): string {
  if (!/^https?:\/\/[^/?#@]+(?:\/[^?#]*)?$/i.test(endpoint) || !URL.canParse(endpoint))
    throw new UsageError('The endpoint for s3:// (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or endpoint_url) is no URL such as https://host:port.');
  return endpoint.replace(/\/+$/, '');
}

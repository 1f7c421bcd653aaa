import { join } from 'node:path';
import { UsageError } from '../contracts/errors.ts';
import { type AwsProfile, readAwsProfile } from './aws-profile.ts';

/** The variables that decide how S3 is reached, by AWS's names. Secrets are among them: only for memory. */
const variables = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ENDPOINT_URL',
  'AWS_PROFILE',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'HOME',
] as const;
type Variables = Readonly<Partial<Record<(typeof variables)[number], string>>>;

export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

export interface AwsSettings {
  /** Absent: requests are not signed. */
  credentials?: AwsCredentials | undefined;
  region: string;
  /** Of a service other than AWS's: MinIO, Ceph, R2. Without a slash at its end. */
  endpoint?: string | undefined;
}

/** What of the environment is needed; plain data, which goes to worker threads. */
export function awsVariables(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(variables.flatMap((name) => (environment[name]?.trim() ? [[name, environment[name].trim()]] : [])));
}

/**
 * Credentials, region and endpoint as AWS's own tools find them: the environment, then the profile's files. Without
 * `sign` no credentials are looked for. Throws UsageError where what is given can't be used.
 */
export async function readAwsSettings(given: Readonly<Record<string, string>>, sign: boolean): Promise<AwsSettings> {
  const from: Variables = given;
  const profile = await profileOf(from);
  const endpoint = from.AWS_ENDPOINT_URL_S3 ?? from.AWS_ENDPOINT_URL ?? profile?.['endpoint_url'];
  if (endpoint !== undefined && !/^https?:\/\/[^/?#@]+(?:\/[^?#]*)?$/i.test(endpoint))
    throw new UsageError('The endpoint for s3:// (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or endpoint_url) is no URL such as https://host:port.');
  return {
    credentials: sign ? (environmentCredentials(from) ?? profileCredentials(profile, from)) : undefined,
    region: from.AWS_REGION ?? from.AWS_DEFAULT_REGION ?? profile?.['region'] ?? 'us-east-1',
    endpoint: endpoint?.replace(/\/+$/, ''),
  };
}

async function profileOf(from: Variables): Promise<AwsProfile | undefined> {
  const folder = join(from.HOME ?? '/', '.aws');
  const files = { config: from.AWS_CONFIG_FILE ?? join(folder, 'config'), credentials: from.AWS_SHARED_CREDENTIALS_FILE ?? join(folder, 'credentials') };
  const profile = await readAwsProfile(from.AWS_PROFILE ?? 'default', files);
  if (!profile && from.AWS_PROFILE !== undefined)
    throw new UsageError(`AWS_PROFILE is ${from.AWS_PROFILE}, which is neither in ${files.config} nor in ${files.credentials}. Give one that is, or unset it.`);
  return profile;
}

function environmentCredentials({ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken }: Variables) {
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw new UsageError('Of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set. Set both, or neither to read public buckets.');
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

function profileCredentials(profile: AwsProfile | undefined, { AWS_PROFILE: name }: Variables): AwsCredentials | undefined {
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey, aws_session_token: sessionToken } = profile ?? {};
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
  const other = ['role_arn', 'sso_session', 'sso_start_url', 'credential_process', 'login_session'].find((key) => profile?.[key]);
  if (other === undefined) return undefined;
  throw new UsageError(
    `The AWS profile ${name ?? 'default'} has no keys but ${other}, which Pairmill does not follow. ` +
      `Put its keys into the environment: eval "$(aws configure export-credentials --profile ${name ?? 'default'} --format env)". For public buckets: --no-sign-request.`,
  );
}

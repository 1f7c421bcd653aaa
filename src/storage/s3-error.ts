import { messageOf, PairmillError, ShardError, systemCode, UsageError } from '../contracts/errors.ts';

/** What S3 says of a refused request. */
export interface S3Refusal {
  status: number;
  /** Such as NoSuchKey; empty where the answer says none. */
  code: string;
  message: string;
  /** Of the bucket, where the answer names it. */
  region: string | undefined;
  /** Where a redirect leads. */
  location: string | undefined;
}

/** There is no such object. */
export class AbsentObjectError extends ShardError {}

/** Who was asked, and how. */
interface S3Asked {
  /** How errors name what was asked for. */
  item: string;
  host: string;
  signed: boolean;
  /** Texts that no message may have. */
  secrets: readonly string[];
}

/** What the SDK's errors have beside `message` and `name`, which is the code of S3's answer. */
interface SdkError {
  Region?: unknown;
  $metadata?: { httpStatusCode?: number; attempts?: number };
  $response?: { statusCode?: number; headers?: Record<string, string | undefined> };
  /** Of an answer that the SDK could not parse. */
  $responseBodyText?: unknown;
}

/** Codes with which the command can't go on whatever shard is next. */
const WRONG_SETTINGS =
  /^(?:InvalidAccessKeyId|InvalidToken|SignatureDoesNotMatch|NoSuchBucket|InvalidBucketName|PermanentRedirect|AuthorizationHeaderMalformed)$/;

/** What an error of the SDK says, where it is an answer of S3's. */
export function refusalOf(error: unknown): S3Refusal | undefined {
  if (!(error instanceof Error) || error instanceof PairmillError) return undefined;
  const { name, message, Region, $metadata, $response }: Error & SdkError = error;
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  // 2xx: the answer was cut off or is no XML.
  if (status === undefined || status < 300) return undefined;
  const headers = $response?.headers ?? {};
  const region = headers['x-amz-bucket-region'] ?? (typeof Region === 'string' ? Region : undefined);
  // Where the answer is no XML of S3's, the SDK has a name and a message of its own. It calls 404 to HEAD NotFound.
  const said = /^[A-Z]\w+$/.test(name) && !/Error$|^Unknown|^NotFound$/.test(name);
  return {
    status,
    code: said ? name : '',
    message: said && message !== 'UnknownError' && message !== name ? message : '',
    // It becomes a part of a host name.
    region: region !== undefined && /^[a-z0-9-]+$/.test(region) ? region : undefined,
    location: headers['location'],
  };
}

/** Whether S3 did what was asked, and its answer begins as XML and ends in the middle. Other text is that of another service. */
export function isCutAnswer(error: Error & SdkError): boolean {
  const { $response, $responseBodyText: text } = error;
  const status = $response?.statusCode ?? 0;
  return status >= 200 && status < 300 && typeof text === 'string' && text.trimStart().startsWith('<');
}

/** Whether an answer to HEAD, which has no code, says that there is no such object. */
export function isAbsent({ status, code }: S3Refusal): boolean {
  return status === 404 && (code === '' || code === 'NoSuchKey');
}

/** The error for the user: what could not be had, why, and what to do. Never names a credential. */
export function s3Error(error: unknown, asked: S3Asked): Error {
  if (error instanceof PairmillError || (error instanceof Error && error.name === 'AbortError')) return error;
  const refusal = refusalOf(error);
  if (refusal) {
    const { status, code, message } = refusal;
    const said = [String(status), code, message && `(${message.replace(/\.$/, '')})`].filter(Boolean).join(' ');
    const text = withoutSecrets(`${asked.item}: ${asked.host} answered ${said}. ${nextStep(refusal, asked.signed)}`, asked);
    if (WRONG_SETTINGS.test(code)) return new UsageError(text);
    // Without the code, something else than S3 may have answered, which knows nothing of what is there.
    return code === 'NoSuchKey' ? new AbsentObjectError(text) : new ShardError(text);
  }
  const cause = error instanceof Error && error.name === 'CredentialsProviderError' ? 'the credentials can not be had: ' : '';
  const reason = withoutSecrets(`${cause}${reasonOf(error)}`, asked);
  return new ShardError(`${asked.item}: ${reason}. Start the same command again; if it stays, check AWS_ENDPOINT_URL, the network and ${asked.host}.`);
}

function reasonOf(error: unknown): string {
  const { $response, $metadata } = (error instanceof Error ? error : {}) as SdkError;
  const attempts = $metadata?.attempts;
  const times = attempts !== undefined && attempts > 1 ? `, ${attempts} times` : '';
  if (($response?.statusCode ?? 0) >= 200) return `what answered is no S3 service, or its answer was cut off${times}`;
  // Node gives several addresses' errors in one, which has a code and no message.
  const text = messageOf(error) || systemCode(error) || 'the connection failed';
  return `${text.replace(/\.$/, '')}${times}`;
}

function withoutSecrets(text: string, { secrets }: S3Asked): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, '…'), text);
}

function nextStep({ status, code, location }: S3Refusal, signed: boolean): string {
  if (/^(?:ExpiredToken|TokenRefreshRequired)/.test(code)) return 'The credentials have expired: set new ones and start the same command again.';
  if (/^(?:InvalidAccessKeyId|InvalidToken|SignatureDoesNotMatch)/.test(code))
    return 'Check the credentials: AWS_ACCESS_KEY_ID and the others, or AWS_PROFILE.';
  if (code === 'RequestTimeTooSkewed') return 'Set the clock of this machine.';
  if (code === 'PreconditionFailed' || status === 412) return 'It changed while it was read: start the same command again.';
  if (code === 'NoSuchBucket' || code === 'InvalidBucketName') return 'There is no such bucket: check its name, and AWS_ENDPOINT_URL where it is not on AWS.';
  if (code === 'InvalidObjectState') return 'It is archived: restore it first.';
  if (code === 'NoSuchUpload') return 'Start the same command again.';
  if (status === 404) return 'Check the key; a folder is given with a slash at its end.';
  if (status === 401 || status === 403) {
    if (signed)
      return (
        'The credentials must allow s3:GetObject, and s3:ListBucket for folders and globs; where a run is kept s3:PutObject and s3:DeleteObject too. ' +
        'Public buckets can be read without: --no-sign-request.'
      );
    return 'The request was not signed: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, without --no-sign-request.';
  }
  if (status >= 300 && status < 400) return `${location ? `It leads to ${hostOf(location)}. ` : ''}Set AWS_REGION or AWS_ENDPOINT_URL to where the bucket is.`;
  if (status >= 500 || status === 429) return 'Start the same command again.';
  return 'Check the URL, AWS_REGION and AWS_ENDPOINT_URL.';
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? 'another address';
}

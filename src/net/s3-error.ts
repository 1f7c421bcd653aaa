import { Parser } from 'htmlparser2';
import { ShardError } from '../contracts/errors.ts';

/** Bytes of an error's body that are read. */
const MOST_BYTES = 65_536;

/** What S3 says of a refused request. */
export interface S3Refusal {
  status: number;
  /** Such as NoSuchKey; empty where the answer says none. */
  code: string;
  message: string;
  /** Of the bucket, where it is another than the request's. */
  region: string | undefined;
  /** Where a redirect leads. */
  location: string | undefined;
}

/** Reads the answer to a refused request: its body is XML, its bucket's region in a header or in the XML. */
export async function readRefusal(response: Response): Promise<S3Refusal> {
  const fields = xmlFields(await headOf(response));
  const region = response.headers.get('x-amz-bucket-region') ?? fields.get('Region');
  return {
    status: response.status,
    code: fields.get('Code') ?? '',
    message: fields.get('Message') ?? '',
    // It becomes a part of a host name.
    region: region !== undefined && /^[a-z0-9-]+$/.test(region) ? region : undefined,
    location: response.headers.get('location') ?? undefined,
  };
}

async function headOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      parts.push(part);
      length += part.length;
      if (length >= MOST_BYTES) break;
    }
  } catch {
    // The status says enough.
  }
  return Buffer.concat(parts).toString('utf8', 0, MOST_BYTES);
}

/** The error for the user: what could not be had, why, and what to do. Never names a credential. */
export function refusalError(item: string, refusal: S3Refusal, signed: boolean, host: string): ShardError {
  const { status, code, message } = refusal;
  const said = [String(status), code, message && `(${message.replace(/\.$/, '')})`].filter(Boolean).join(' ');
  return new ShardError(`${item}: ${host} answered ${said}. ${nextStep(refusal, signed)}`);
}

function nextStep({ status, code, location }: S3Refusal, signed: boolean): string {
  if (/^(?:ExpiredToken|TokenRefreshRequired)/.test(code)) return 'The credentials have expired: set new ones and start the same command again.';
  if (/^(?:InvalidAccessKeyId|InvalidToken|SignatureDoesNotMatch)/.test(code))
    return 'Check the credentials: AWS_ACCESS_KEY_ID and the others, or AWS_PROFILE.';
  if (code === 'RequestTimeTooSkewed') return 'Set the clock of this machine.';
  if (code === 'PreconditionFailed' || status === 412) return 'It changed while it was read: start the same command again.';
  if (code === 'NoSuchBucket') return 'There is no such bucket: check its name, and AWS_ENDPOINT_URL where it is not on AWS.';
  if (code === 'InvalidObjectState') return 'It is archived: restore it first.';
  if (status === 404) return 'Check the key; a folder is given with a slash at its end.';
  if (status === 401 || status === 403) {
    if (signed)
      return 'The credentials must allow s3:GetObject, and s3:ListBucket for folders and globs. Public buckets can be read without: --no-sign-request.';
    return 'The request was not signed: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, without --no-sign-request.';
  }
  if (status >= 300 && status < 400) return `${location ? `It leads to ${hostOf(location)}. ` : ''}Set AWS_REGION or AWS_ENDPOINT_URL to where the bucket is.`;
  return 'Check the URL, AWS_REGION and AWS_ENDPOINT_URL.';
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? 'another address';
}

/** The texts of the elements directly below the root, by name. */
function xmlFields(xml: string): Map<string, string> {
  const fields = new Map<string, string>();
  const open: string[] = [];
  const parser = new Parser(
    {
      onopentag: (name) => void open.push(name),
      onclosetag: () => void open.pop(),
      ontext: (text) => {
        if (open.length === 2) fields.set(open[1]!, (fields.get(open[1]!) ?? '') + text);
      },
    },
    { xmlMode: true },
  );
  parser.write(xml);
  parser.end();
  return fields;
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PairmillError, ShardError, UsageError } from '../../src/contracts/errors.ts';
import { parseS3Url } from '../../src/storage/location.ts';
import { S3Objects } from '../../src/storage/s3-objects.ts';
import { environmentOf, withoutAws } from './aws-environment.ts';
import { keys, refuse, type S3Server, type S3ServerSettings, signatureOf, startS3Server } from './s3-server.ts';

withoutAws();

const objectsOf = (server: S3Server, more: Record<string, string | undefined> = {}, sign = true): S3Objects => new S3Objects(environmentOf(server, more), sign);
const withoutKeys = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
const read = async (objects: S3Objects, path: string): Promise<string> =>
  Buffer.concat(await Array.fromAsync(objects.read(parseS3Url(path)!, AbortSignal.timeout(30_000)))).toString();
const keysBelow = async (objects: S3Objects, path: string, deep = false): Promise<string[]> =>
  (await Array.fromAsync(objects.list(parseS3Url(path)!, deep))).filter(({ folder }) => !folder).map(({ key }) => key);
/** A server with one object, `a`. */
const startWithObject = async (settings: S3ServerSettings = {}): Promise<S3Server> => {
  const server = await startS3Server(settings);
  server.objects.set('a', Buffer.from('content'));
  return server;
};

describe('the signature check of these tests', () => {
  // Examples of "Signature Calculations for the Authorization Header" in the S3 API reference.
  it.each([
    ['/test.txt', { range: 'bytes=0-9' }, 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'],
    ['/?lifecycle', {}, 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
    ['/?max-keys=2&prefix=J', {}, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
  ])("gives AWS's own for GET %s", (url, more, signature) => {
    const headers: Record<string, string> = {
      host: 'examplebucket.s3.amazonaws.com',
      ...more,
      'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'x-amz-date': '20130524T000000Z',
    };
    const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
    expect(signatureOf({ method: 'GET', url, headers }, secret, '20130524/us-east-1/s3/aws4_request', Object.keys(headers).join(';'))).toBe(signature);
  });
});

describe('S3Objects', () => {
  it.each(['plain.txt', 'a/b c.txt', "a/+%&=(1)'!~*.txt", 'ä/日本.txt', 'a//b', 'a/100%25'])('reads %s with a signature', async (name) => {
    const server = await startS3Server();
    server.objects.set(name, Buffer.from(name));
    expect(await read(objectsOf(server), `s3://crawl/${name}`)).toBe(name);
    expect(server.requests).toHaveLength(1);
  });

  it('signs the session token, and nothing without credentials or where it is told so', async () => {
    const server = await startWithObject();
    expect(await read(objectsOf(server, { AWS_SESSION_TOKEN: keys.token }), 's3://crawl/a')).toBe('content');
    await expect(read(objectsOf(server, {}, false), 's3://crawl/a')).rejects.toThrow(/answered 403 AccessDenied .* The request was not signed/);
    await expect(read(objectsOf(server, withoutKeys), 's3://crawl/a')).rejects.toThrow('not signed');
    const open = await startWithObject({ open: true });
    expect(await read(objectsOf(open, withoutKeys), 's3://crawl/a')).toBe('content');
    // As AWS does, the server checks a signature also where none is needed.
    expect(await read(objectsOf(open, { AWS_SECRET_ACCESS_KEY: 'old' }, false), 's3://crawl/a')).toBe('content');
    expect(await keysBelow(objectsOf(open, {}, false), 's3://crawl')).toEqual(['a']);
  });

  it('follows the bucket to its region, and asks for it once', async () => {
    const server = await startWithObject();
    const objects = objectsOf(server, { AWS_REGION: 'us-west-2' });
    expect(await read(objects, 's3://crawl/a')).toBe('content');
    expect(await keysBelow(objects, 's3://crawl/')).toEqual(['a']);
    await objects.writeText({ bucket: 'crawl', key: 'b' }, 'text');
    expect(server.requests).toHaveLength(4);
  });

  it('follows the region that an error names', async () => {
    const server = await startWithObject();
    const body = '<Error><Code>AuthorizationHeaderMalformed</Code><Message>Expecting another</Message><Region>eu-central-1</Region></Error>';
    server.instead.push((_, response) => response.writeHead(400, { 'content-type': 'application/xml' }).end(body));
    expect(await read(objectsOf(server, { AWS_REGION: 'us-west-2' }), 's3://crawl/a')).toBe('content');
    expect(server.requests).toHaveLength(2);
  });

  it.each([
    [{ AWS_REGION: undefined }, 'us-east-1'],
    [{ AWS_REGION: undefined, AWS_DEFAULT_REGION: 'eu-west-1' }, 'eu-west-1'],
    [{ AWS_REGION: 'cn-north-1', AWS_DEFAULT_REGION: 'eu-west-1' }, 'cn-north-1'],
  ])('with %j is in %s', async (environment, region) => {
    const server = await startWithObject({ region });
    expect(await read(objectsOf(server, environment), 's3://crawl/a')).toBe('content');
    expect(server.requests).toHaveLength(1);
  });

  it('sends no signed request to where a redirect leads', async () => {
    const [server, other] = [await startWithObject(), await startWithObject()];
    server.instead.push((_, response) => response.writeHead(307, { location: `${other.endpoint}/crawl/a` }).end());
    await expect(read(objectsOf(server), 's3://crawl/a')).rejects.toThrow(/answered 307\. It leads to 127\.0\.0\.1:/);
    expect(other.requests).toEqual([]);
  });

  it.each([
    ['s3://crawl/none', {}, ShardError, /^s3:\/\/crawl\/none: 127\.0\.0\.1:\d+ answered 404 NoSuchKey \(The specified key does not exist\)\. Check the key/],
    ['s3://none/a', {}, UsageError, /404 NoSuchBucket .* There is no such bucket/],
    ['s3://crawl/a', { AWS_SECRET_ACCESS_KEY: 'wrong' }, UsageError, /403 SignatureDoesNotMatch .* Check the credentials/],
    ['s3://crawl/a', { AWS_ACCESS_KEY_ID: 'AKIDOTHER' }, UsageError, /403 InvalidAccessKeyId .* Check the credentials/],
    ['s3://crawl/a', { AWS_SESSION_TOKEN: 'token-of-another' }, UsageError, /403 InvalidToken .* Check the credentials/],
  ])('says why %s can not be had with %j', async (path, more: Record<string, string>, type, message) => {
    const failure = await read(objectsOf(await startWithObject(), more), path).catch((error: unknown) => error as PairmillError);
    expect(failure).toBeInstanceOf(type);
    expect((failure as PairmillError).message).toMatch(message);
    for (const secret of [...Object.values(keys), ...Object.values(more)]) expect((failure as PairmillError).message).not.toContain(secret);
  });

  it.each([
    [403, 'AccessDenied', 'The credentials must allow s3:GetObject'],
    [400, 'ExpiredToken', 'The credentials have expired'],
    [403, 'InvalidObjectState', 'It is archived'],
    [400, 'Whatever', 'Check the URL'],
  ])('says what to do after %i %s', async (status, code, advice) => {
    const server = await startWithObject();
    server.instead.push((_, response) => refuse(response, status, code, 'Said.'));
    await expect(read(objectsOf(server), 's3://crawl/a')).rejects.toThrow(`answered ${status} ${code} (Said). ${advice}`);
  });

  it('repeats no secret that an answer has', async () => {
    const server = await startWithObject();
    server.instead.push((_, response) => refuse(response, 403, 'AccessDenied', `The key ${keys.id} with ${keys.secret} may not`));
    await expect(read(objectsOf(server), 's3://crawl/a')).rejects.toThrow('(The key … with … may not)');
  });

  it('copes with answers that are no XML', async () => {
    const server = await startWithObject();
    server.instead.push((_, response) => response.writeHead(403).end('<html><body>no &broken'));
    await expect(read(objectsOf(server), 's3://crawl/a')).rejects.toThrow(/answered 403\. The credentials must allow/);
    server.instead.push((_, response) => response.end('<html>hello</html>'));
    await expect(keysBelow(objectsOf(server), 's3://crawl/')).rejects.toThrow('no S3 service');
    server.instead.push((_, response) => response.end('hello'));
    await expect(keysBelow(objectsOf(server), 's3://crawl/')).rejects.toThrow('no S3 service');
  });

  it('says that nobody answers', { timeout: 120_000 }, async () => {
    const failure = read(new S3Objects(environmentOf({ endpoint: 'http://127.0.0.1:9' }), true), 's3://crawl/a');
    await expect(failure).rejects.toThrow(
      /^s3:\/\/crawl\/a: connect ECONNREFUSED 127\.0\.0\.1:9, 10 times\. Start the same command again; .* AWS_ENDPOINT_URL/,
    );
    await expect(failure).rejects.toThrow(ShardError);
  });

  it('goes through all pages, and takes one up again that broke', async () => {
    const server = await startS3Server();
    const all = ['crawl/a', 'crawl/b&<"\'', 'crawl/c d', 'crawl/é', 'crawl/deep/e', 'other'];
    for (const key of all) server.objects.set(key, Buffer.from(key));
    const objects = objectsOf(server);
    server.instead.push(
      (_, response) => refuse(response, 503, 'SlowDown', 'Reduce your request rate.'),
      (request) => request.socket.destroy(),
    );
    expect(await keysBelow(objects, 's3://crawl/crawl/')).toEqual(['crawl/a', 'crawl/b&<"\'', 'crawl/c d', 'crawl/é']);
    expect(server.requests).toHaveLength(5);
    expect(await keysBelow(objects, 's3://crawl/crawl/', true)).toEqual(all.slice(0, 5).sort());
    expect(await Array.fromAsync(objects.list({ bucket: 'crawl', key: '' }, false))).toEqual([
      { key: 'other', bytes: 5, etag: expect.stringMatching(/^[0-9a-f]{32}$/), folder: false },
      { key: 'crawl/', bytes: 0, etag: '', folder: true },
    ]);
  });

  it('refuses a listing that turns in a circle', async () => {
    const server = await startS3Server();
    const page = '<ListBucketResult><Name>crawl</Name><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>';
    server.instead.push(
      (_, response) => response.end(page),
      (_, response) => response.end(page),
    );
    await expect(keysBelow(objectsOf(server), 's3://crawl/')).rejects.toThrow('does not go on');
  });

  it('removes one by one where a service knows no other way', async () => {
    const server = await startS3Server();
    for (const key of ['a', 'b', 'c']) server.objects.set(key, Buffer.from(key));
    server.instead.push((_, response) => refuse(response, 400, 'MissingContentMD5', 'Missing required header for this request: Content-MD5.'));
    await objectsOf(server).remove('crawl', ['a', 'b']);
    expect([...server.objects.keys()]).toEqual(['c']);
  });

  it('says which object could not be removed', async () => {
    const server = await startS3Server();
    server.instead.push((_, response) =>
      response.end('<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>'),
    );
    await expect(objectsOf(server).remove('crawl', ['a', 'b'])).rejects.toThrow("s3://crawl/b can't be removed: AccessDenied (Access Denied)");
  });
});

describe('what the environment says', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pairmill-aws-'));
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** As on the command line, the process's environment is what is passed in. */
  const withProfile = async (profile: string | undefined, sign = true): Promise<S3Objects> => {
    vi.stubEnv('AWS_PROFILE', profile);
    return new S3Objects({ AWS_PROFILE: profile }, sign);
  };
  const writeFiles = async ({ endpoint }: S3Server): Promise<void> => {
    await writeFile(
      join(folder, 'config'),
      [
        `[default]\nregion = eu-central-1\nendpoint_url = ${endpoint}`,
        `[profile work]\nregion=eu-central-1\nendpoint_url = ${endpoint}\naws_access_key_id = ${keys.id}\naws_secret_access_key = ${keys.secret}`,
        `[profile outside]\nendpoint_url = ${endpoint}\nregion = eu-central-1\ncredential_process = ${process.execPath} ${join(folder, 'login.mjs')}`,
        '[profile sso]\nsso_session = x\nsso_account_id = 1\nsso_role_name = r\n[sso-session x]\nsso_region = eu-central-1\nsso_start_url = http://127.0.0.1:9/',
      ].join('\n\n'),
    );
    await writeFile(join(folder, 'credentials'), `[default]\naws_access_key_id=${keys.id}\naws_secret_access_key = ${keys.secret}\n`);
    const found = JSON.stringify({ Version: 1, AccessKeyId: keys.id, SecretAccessKey: keys.secret, SessionToken: keys.token });
    await writeFile(join(folder, 'login.mjs'), `console.log(${JSON.stringify(found)});\n`);
  };

  it.each([undefined, 'work', 'outside'])('finds keys, region and endpoint of the profile %s', async (profile) => {
    const server = await startWithObject();
    await writeFiles(server);
    expect(await read(await withProfile(profile), 's3://crawl/a')).toBe('content');
    expect(server.requests).toEqual(['GET /crawl/a']);
  });

  it('puts the variables before the profile', async () => {
    const [server, other] = [await startWithObject(), await startWithObject({ region: 'us-west-2' })];
    await writeFiles(server);
    const environment = { AWS_ACCESS_KEY_ID: keys.id, AWS_SECRET_ACCESS_KEY: keys.secret, AWS_REGION: 'us-west-2', AWS_ENDPOINT_URL: other.endpoint };
    for (const [name, value] of Object.entries({ ...environment, AWS_PROFILE: 'sso' })) vi.stubEnv(name, value);
    expect(await read(new S3Objects({ ...environment, AWS_PROFILE: 'sso' }, true), 's3://crawl/a')).toBe('content');
    expect([server.requests, other.requests]).toEqual([[], ['GET /crawl/a']]);
  });

  it('refuses what can not be used, without naming a secret', async () => {
    const server = await startWithObject({ open: true });
    await writeFiles(server);
    await expect((await withProfile('none')).check()).rejects.toThrow(/The credentials for s3:\/\/ can't be had: .*none/);
    await expect((await withProfile('sso')).check()).rejects.toThrow(/The credentials for s3:\/\/ can't be had: .*log in again/s);
    await (await withProfile('sso', false)).check();
    const check = (environment: Record<string, string>): Promise<void> => new S3Objects(environment, true).check();
    await expect(check({ AWS_ACCESS_KEY_ID: 'ID' })).rejects.toThrow('only one is set');
    await expect(check({ AWS_SECRET_ACCESS_KEY: 'a-secret' })).rejects.toThrow(/^(?!.*a-secret).*only one is set/);
    await expect(check({ AWS_ENDPOINT_URL: 'http://user:password@host' })).rejects.toThrow(/^(?!.*password)/);
    await expect(check({ AWS_ENDPOINT_URL: 'localhost:9000' })).rejects.toThrow(UsageError);
  });
});

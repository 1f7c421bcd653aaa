import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PairmillError, ShardError, UsageError } from '../../src/contracts/errors.ts';
import { awsVariables, readAwsSettings } from '../../src/net/aws-settings.ts';
import { S3Client } from '../../src/net/s3-client.ts';
import { listObjects } from '../../src/net/s3-listing.ts';
import { parseS3Url } from '../../src/net/s3-location.ts';
import { keys, refuse, type S3Server, signatureOf, startS3Server } from './s3-server.ts';

const home = join(tmpdir(), 'pairmill-no-such-home');
const variables = (server: S3Server, more: Record<string, string> = {}): Record<string, string> =>
  awsVariables({
    HOME: home,
    AWS_ACCESS_KEY_ID: keys.id,
    AWS_SECRET_ACCESS_KEY: keys.secret,
    AWS_REGION: 'eu-central-1',
    AWS_ENDPOINT_URL_S3: server.endpoint,
    ...more,
  });
const read = async (client: S3Client, path: string): Promise<string> => {
  const response = await client.get(parseS3Url(path)!, { item: path, signal: AbortSignal.timeout(10_000) });
  return response.text();
};
const keysBelow = async (client: S3Client, path: string, deep = false): Promise<string[]> =>
  (await Array.fromAsync(listObjects(client, parseS3Url(path)!, deep))).map(({ key }) => key);

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

describe('S3Client', () => {
  const names = ['plain.txt', 'a/b c.txt', "a/+%&=(1)'!~*.txt", 'ä/日本.txt', 'a//b', 'a/100%25'];

  it.each(names)('reads %s with a signature', async (name) => {
    const server = await startS3Server();
    server.objects.set(name, Buffer.from(name));
    expect(await read(new S3Client(variables(server)), `s3://crawl/${name}`)).toBe(name);
    expect(server.requests).toHaveLength(1);
  });

  it('signs the session token, and nothing without credentials or where it is told so', async () => {
    const server = await startS3Server();
    server.objects.set('a', Buffer.from('content'));
    expect(await read(new S3Client(variables(server, { AWS_SESSION_TOKEN: keys.token })), 's3://crawl/a')).toBe('content');
    await expect(read(new S3Client(variables(server), false), 's3://crawl/a')).rejects.toThrow(/answered 403 AccessDenied .* The request was not signed/);
    await expect(read(new S3Client({ HOME: home, AWS_ENDPOINT_URL: server.endpoint }), 's3://crawl/a')).rejects.toThrow('not signed');
    const open = await startS3Server({ open: true });
    open.objects.set('a', Buffer.from('public'));
    expect(await read(new S3Client({ HOME: home, AWS_ENDPOINT_URL: open.endpoint }), 's3://crawl/a')).toBe('public');
    // As its own tools do, AWS checks a signature also where none is needed.
    expect(await read(new S3Client(variables(open, { AWS_SECRET_ACCESS_KEY: 'old' }), false), 's3://crawl/a')).toBe('public');
  });

  it('follows the bucket to its region, and asks for it once', async () => {
    const server = await startS3Server();
    server.objects.set('a', Buffer.from('content'));
    const client = new S3Client(variables(server, { AWS_REGION: 'us-west-2' }));
    expect(await read(client, 's3://crawl/a')).toBe('content');
    expect(await keysBelow(client, 's3://crawl/')).toEqual(['a']);
    expect(await read(new S3Client(variables(server, { AWS_REGION: 'us-west-2' })), 's3://crawl/a')).toBe('content');
    expect(server.requests).toHaveLength(4);
  });

  it('follows redirects within the service only', async () => {
    const server = await startS3Server();
    server.objects.set('b', Buffer.from('content'));
    server.instead.push((_, response) => response.writeHead(307, { location: '/crawl/b' }).end());
    expect(await read(new S3Client(variables(server)), 's3://crawl/a')).toBe('content');
    const other = await startS3Server();
    server.instead.push((_, response) => response.writeHead(307, { location: `${other.endpoint}/crawl/b` }).end());
    await expect(read(new S3Client(variables(server)), 's3://crawl/a')).rejects.toThrow(/answered 307\. It leads to 127\.0\.0\.1:/);
    expect(other.requests).toEqual([]);
    server.instead.push(
      ...Array.from(
        { length: 9 },
        () => (_: unknown, response: Parameters<S3Server['instead'][0]>[1]) => void response.writeHead(307, { location: '/crawl/b' }).end(),
      ),
    );
    await expect(read(new S3Client(variables(server)), 's3://crawl/a')).rejects.toThrow('answered 307');
  });

  it.each([
    ['s3://crawl/none', {}, /^s3:\/\/crawl\/none: 127\.0\.0\.1:\d+ answered 404 NoSuchKey \(The specified key does not exist\)\. Check the key/],
    ['s3://none/a', {}, /404 NoSuchBucket .* There is no such bucket/],
    ['s3://crawl/a', { AWS_SECRET_ACCESS_KEY: 'wrong' }, /403 SignatureDoesNotMatch .* Check the credentials/],
    ['s3://crawl/a', { AWS_ACCESS_KEY_ID: 'AKIDOTHER' }, /403 InvalidAccessKeyId .* Check the credentials/],
    ['s3://crawl/a', { AWS_SESSION_TOKEN: 'token-of-another' }, /403 InvalidToken .* Check the credentials/],
  ])('says why %s can not be had with %j', async (path, more, message) => {
    const server = await startS3Server();
    server.objects.set('a', Buffer.from('content'));
    const failure = await read(new S3Client(variables(server, more)), path).catch((error: unknown) => error as PairmillError);
    expect(failure).toBeInstanceOf(ShardError);
    expect((failure as PairmillError).message).toMatch(message);
    for (const secret of [...Object.values(keys), ...Object.values(more)]) expect((failure as PairmillError).message).not.toContain(secret);
  });

  it.each([
    [403, 'AccessDenied', 'The credentials must allow s3:GetObject'],
    [400, 'ExpiredToken', 'The credentials have expired'],
    [403, 'RequestTimeTooSkewed', 'Set the clock'],
    [403, 'InvalidObjectState', 'It is archived'],
    [400, 'Whatever', 'Check the URL'],
  ])('says what to do after %i %s', async (status, code, advice) => {
    const server = await startS3Server();
    server.instead.push((_, response) => refuse(response, status, code, 'Said.'));
    await expect(read(new S3Client(variables(server)), 's3://crawl/a')).rejects.toThrow(`answered ${status} ${code} (Said). ${advice}`);
  });

  it('copes with answers that are no XML', async () => {
    const server = await startS3Server();
    server.instead.push((_, response) => response.writeHead(403).end('<html><body>no &broken'));
    await expect(read(new S3Client(variables(server)), 's3://crawl/a')).rejects.toThrow(/answered 403\. The credentials must allow/);
    server.instead.push((_, response) => response.end('<html>hello</html>'));
    await expect(keysBelow(new S3Client(variables(server)), 's3://crawl/')).rejects.toThrow('no S3 service');
  });

  describe('on AWS', () => {
    afterEach(() => vi.restoreAllMocks());

    it.each([
      ['s3://commoncrawl/a/b.gz', {}, 'https://commoncrawl.s3.us-east-1.amazonaws.com/a/b.gz'],
      ['s3://bucket/a', { AWS_DEFAULT_REGION: 'eu-west-1' }, 'https://bucket.s3.eu-west-1.amazonaws.com/a'],
      ['s3://bucket/a', { AWS_REGION: 'cn-north-1', AWS_DEFAULT_REGION: 'eu-west-1' }, 'https://bucket.s3.cn-north-1.amazonaws.com.cn/a'],
      ['s3://data.example.org/a', {}, 'https://s3.us-east-1.amazonaws.com/data.example.org/a'],
    ])('%s with %j is at %s', async (path, environment, url) => {
      const fetched = vi.spyOn(globalThis, 'fetch').mockImplementation(() => Promise.resolve(new Response('content')));
      await read(new S3Client({ HOME: home, ...environment }), path);
      expect(fetched.mock.calls.map(([asked]) => String(asked))).toEqual([url]);
      expect(new Headers(fetched.mock.calls[0]![1]!.headers).has('authorization')).toBe(false);
    });

    it('goes to the host of the region that an answer tells', async () => {
      const answers = [
        new Response('<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>', { status: 400 }),
        new Response('content'),
      ];
      const fetched = vi.spyOn(globalThis, 'fetch').mockImplementation(() => Promise.resolve(answers.shift()!));
      await read(new S3Client({ HOME: home, AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' }), 's3://elsewhere/a');
      expect(fetched.mock.calls.map(([asked]) => String(asked))).toEqual([
        'https://elsewhere.s3.us-east-1.amazonaws.com/a',
        'https://elsewhere.s3.eu-west-3.amazonaws.com/a',
      ]);
      const scopes = fetched.mock.calls.map(([, init]) => /Credential=id\/\d+\/([^/]+)/.exec(new Headers(init!.headers).get('authorization')!)![1]);
      expect(scopes).toEqual(['us-east-1', 'eu-west-3']);
    });
  });
});

describe('listObjects', () => {
  it('goes through all pages, and takes one up again that broke', async () => {
    const server = await startS3Server();
    const all = ['crawl/a', 'crawl/b&<"\'', 'crawl/c d', 'crawl/é', 'crawl/deep/e', 'other'];
    for (const key of all) server.objects.set(key, Buffer.from(key));
    const client = new S3Client(variables(server));
    server.instead.push(
      (_, response) => refuse(response, 503, 'SlowDown', 'Reduce your request rate.'),
      (request) => request.socket.destroy(),
    );
    expect(await keysBelow(client, 's3://crawl/crawl/')).toEqual(['crawl/a', 'crawl/b&<"\'', 'crawl/c d', 'crawl/é']);
    expect(server.requests).toHaveLength(4);
    expect(await keysBelow(client, 's3://crawl/crawl/', true)).toEqual(all.slice(0, 5).sort());
    expect(await keysBelow(client, 's3://crawl')).toEqual(['other']);
    const tags = await Array.fromAsync(listObjects(client, parseS3Url('s3://crawl/other')!, false));
    expect(tags).toEqual([{ key: 'other', identity: expect.stringMatching(/^ETag [0-9a-f]{32}$/) }]);
  });

  it('refuses a listing that turns in a circle', async () => {
    const server = await startS3Server();
    const page = '<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>';
    server.instead.push(
      (_, response) => response.end(page),
      (_, response) => response.end(page),
    );
    await expect(keysBelow(new S3Client(variables(server)), 's3://crawl/')).rejects.toThrow('does not go on');
  });
});

describe('readAwsSettings', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pairmill-aws-'));
    await writeFile(
      join(folder, 'config'),
      '# comment\n[default]\nregion = eu-west-1 ; comment\n[profile work]\nregion=eu-west-2\nendpoint_url = https://s3.work.test/\ns3 =\n  addressing_style = path\n[profile sso]\nsso_session = x\n',
    );
    await writeFile(
      join(folder, 'credentials'),
      '[default]\naws_access_key_id=ID1\naws_secret_access_key = a=/b+c#d\n\n[work]\r\naws_access_key_id = ID2\r\naws_secret_access_key = S2\r\naws_session_token = T2\r\n',
    );
  });
  afterEach(() => rm(folder, { recursive: true }));

  const settings = (environment: Record<string, string> = {}, sign = true) =>
    readAwsSettings(awsVariables({ AWS_CONFIG_FILE: join(folder, 'config'), AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'), ...environment }), sign);

  it('reads profiles, which the environment overrides', async () => {
    expect(await settings()).toEqual({ credentials: { accessKeyId: 'ID1', secretAccessKey: 'a=/b+c#d' }, region: 'eu-west-1', endpoint: undefined });
    expect(await settings({ AWS_PROFILE: 'work' })).toEqual({
      credentials: { accessKeyId: 'ID2', secretAccessKey: 'S2', sessionToken: 'T2' },
      region: 'eu-west-2',
      endpoint: 'https://s3.work.test',
    });
    const environment = {
      AWS_PROFILE: 'work',
      AWS_ACCESS_KEY_ID: 'ID3',
      AWS_SECRET_ACCESS_KEY: 'S3',
      AWS_REGION: 'auto',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9000',
    };
    expect(await settings(environment)).toEqual({
      credentials: { accessKeyId: 'ID3', secretAccessKey: 'S3' },
      region: 'auto',
      endpoint: 'http://127.0.0.1:9000',
    });
    expect((await settings({}, false)).credentials).toBeUndefined();
  });

  it('refuses what can not be used, without naming a secret', async () => {
    await expect(settings({ AWS_PROFILE: 'none' })).rejects.toThrow(/AWS_PROFILE is none, which is neither in /);
    await expect(settings({ AWS_PROFILE: 'sso' })).rejects.toThrow(/has no keys but sso_session, .* export-credentials --profile sso/);
    expect((await settings({ AWS_PROFILE: 'sso' }, false)).credentials).toBeUndefined();
    await expect(settings({ AWS_ACCESS_KEY_ID: 'ID' })).rejects.toThrow('only one is set');
    await expect(settings({ AWS_ENDPOINT_URL: 'http://user:password@host' })).rejects.toThrow(/^(?!.*password)/);
    await expect(settings({ AWS_ENDPOINT_URL: 'localhost:9000' })).rejects.toThrow(UsageError);
  });
});

it('refuses places that no request can name', () => {
  expect(parseS3Url('S3://Bucket/a b?c#d')).toEqual({ bucket: 'Bucket', key: 'a b?c#d' });
  expect(parseS3Url('s3://bucket')).toEqual({ bucket: 'bucket', key: '' });
  expect(parseS3Url('https://bucket/key')).toBeUndefined();
  for (const path of ['s3://', 's3:///key', 's3://user:password@bucket/key', 's3://bucket/a/../b']) expect(() => parseS3Url(path), path).toThrow(UsageError);
  expect(() => parseS3Url('s3://user:password@bucket/key')).toThrow(/^(?!.*password)/);
});

import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/contracts/errors.ts';
import { commonCrawlFiles } from '../../../src/stages/extract/common-crawl-files.ts';
import { sourceName, withoutSecrets } from '../../../src/sources/source-name.ts';
import { crawlFiles } from '../../../src/stages/extract/extract.ts';
import { listSources } from '../../../src/sources/list-sources.ts';
import { openSource } from '../../../src/sources/open-source.ts';
import { extractOptions } from '../../../src/stages/extract/options.ts';
import { S3Objects } from '../../../src/storage/s3-objects.ts';
import { gzipped, image, record, watJson } from '../../formats/crawl-bytes.ts';
import { pairmill } from '../../pipeline/pairmill.ts';
import { nothingOfAws, withoutAws } from '../../storage/aws-environment.ts';
import { keys, type S3Server, startS3Server } from '../../storage/s3-server.ts';

withoutAws();

const environment = (server: S3Server): Record<string, string> => ({
  ...nothingOfAws,
  AWS_ACCESS_KEY_ID: keys.id,
  AWS_SECRET_ACCESS_KEY: keys.secret,
  AWS_SESSION_TOKEN: keys.token,
  AWS_REGION: 'eu-central-1',
  AWS_ENDPOINT_URL: server.endpoint,
});
const objectsOf = (server: S3Server): S3Objects => new S3Objects(environment(server), true);

let base: string;
beforeEach(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-s3-'))));
afterEach(() => rm(base, { recursive: true }));

describe('listSources', () => {
  let server: S3Server;
  beforeEach(async () => {
    server = await startS3Server();
    for (const key of [
      'top.wat',
      'a/2.warc.wat.gz',
      'a/10.warc.wat.gz',
      'a/1.warc',
      'a/1.warc.gz',
      'a/notes.txt',
      'a/',
      'a/below/3.wat.gz',
      'a/below/4.wat.gz',
      'b/below/3.wat.gz',
      'ab/0.wat',
    ])
      server.objects.set(key, Buffer.from(key));
  });

  it.each([
    ['s3://crawl/a/', ['a/1.warc', 'a/1.warc.gz', 'a/10.warc.wat.gz', 'a/2.warc.wat.gz']],
    ['s3://crawl', ['top.wat']],
    ['s3://crawl/', ['top.wat']],
    ['s3://crawl/a/*.warc.wat.gz', ['a/10.warc.wat.gz', 'a/2.warc.wat.gz']],
    ['s3://crawl/a/?.w*', ['a/1.warc', 'a/1.warc.gz', 'a/2.warc.wat.gz']],
    ['s3://crawl/*/below/3*', ['a/below/3.wat.gz', 'b/below/3.wat.gz']],
    ['s3://crawl/**/[34].wat.gz', ['a/below/3.wat.gz', 'a/below/4.wat.gz', 'b/below/3.wat.gz']],
    ['s3://crawl/a/2.warc.wat.gz, s3://crawl/ab/', ['a/2.warc.wat.gz', 'ab/0.wat']],
  ])('takes %s', async (input, expected) => {
    expect((await listSources(input, crawlFiles, objectsOf(server))).map(({ path }) => path)).toEqual(expected.map((key) => `s3://crawl/${key}`));
  });

  it('knows an object by its ETag where a listing gives it, else by its URL', async () => {
    expect(await listSources('s3://crawl/top.wat,s3://crawl/', crawlFiles, objectsOf(server))).toEqual([
      { path: 's3://crawl/top.wat', digest: 's3://crawl/top.wat' },
      { path: 's3://crawl/top.wat', digest: expect.stringMatching(/^ETag [0-9a-f]{32}$/) },
    ]);
  });

  it('takes lines of a list', async () => {
    await writeFile(join(base, 'crawl.paths'), 's3://crawl/ab/\ns3://crawl/top.wat\n');
    expect((await listSources(join(base, 'crawl.paths'), crawlFiles, objectsOf(server))).map(({ path }) => path)).toEqual([
      's3://crawl/ab/0.wat',
      's3://crawl/top.wat',
    ]);
  });

  it('refuses what can not be read before any work is done', async () => {
    await expect(listSources('s3://crawl/none/', crawlFiles, objectsOf(server))).rejects.toThrow('No crawl file matches s3://crawl/none/');
    await expect(listSources('s3://none/a/', crawlFiles, objectsOf(server))).rejects.toThrow(UsageError);
    await expect(listSources('s3://crawl/top.wat', crawlFiles, new S3Objects({ AWS_ACCESS_KEY_ID: 'id' }, true))).rejects.toThrow(UsageError);
    await expect(listSources('gs://bucket/a.wat.gz', crawlFiles, objectsOf(server))).rejects.toThrow(
      'gs://bucket/a.wat.gz: Pairmill reads http://, https:// and s3://',
    );
    await expect(listSources('https://user:password@host/a.wat.gz', crawlFiles, objectsOf(server))).rejects.toThrow(/^https:\/\/host\/a\.wat\.gz: /);
  });
});

it('reads a crawl by its name from a bucket', async () => {
  const server = await startS3Server();
  server.objects.set('crawl-data/CC-MAIN-2022-40/wat.paths.gz', gzipSync('x/0.wat.gz\nx/1.wat.gz\nx/2.wat.gz\n'));
  const options = extractOptions.parse({ crawl: 'CC-MAIN-2022-40', crawlBaseUrl: 's3://crawl', files: '1-2' });
  expect(await commonCrawlFiles(options, objectsOf(server))).toEqual([
    { path: 's3://crawl/x/1.wat.gz', digest: 'x/1.wat.gz' },
    { path: 's3://crawl/x/2.wat.gz', digest: 'x/2.wat.gz' },
  ]);
});

describe('openSource', () => {
  const body = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
  /** Sends the head of the object and hangs up. */
  const breaks =
    (bytes: number, then: () => void = () => undefined): S3Server['instead'][0] =>
    (request, response) => {
      const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const range = start > 0 ? { 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` } : {};
      response.writeHead(start > 0 ? 206 : 200, { 'content-length': body.length - start, etag: `"${tag}"`, ...range });
      response.write(body.subarray(start, start + bytes), () => {
        then();
        setTimeout(() => request.socket.destroy(), 50);
      });
    };
  let tag: string;
  const startWithObject = async (): Promise<S3Server> => {
    const server = await startS3Server();
    server.objects.set('file', body);
    tag = createHash('md5').update(body).digest('hex');
    return server;
  };
  const read = async (server: S3Server): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for await (const part of openSource('s3://crawl/file', new AbortController().signal, objectsOf(server))) parts.push(Buffer.from(part));
    return Buffer.concat(parts);
  };

  it('takes a broken connection up where it broke, each request signed', async () => {
    const server = await startWithObject();
    server.instead.push(breaks(30_000), breaks(20_000));
    expect((await read(server)).equals(body)).toBe(true);
    expect(server.requests).toEqual(['GET /crawl/file', 'GET /crawl/file bytes=30000-', 'GET /crawl/file bytes=50000-']);
  });

  it('does not join two versions of an object', async () => {
    const server = await startWithObject();
    server.instead.push(breaks(30_000, () => server.objects.set('file', Buffer.alloc(100_000))));
    await expect(read(server)).rejects.toThrow(/^s3:\/\/crawl\/file: .* 412 .* It changed while it was read/);
  });
});

it('keeps signatures and passwords out of names', () => {
  const presigned = 'https://bucket.s3.amazonaws.com/a/b.wat.gz?X-Amz-Signature=secret&X-Amz-Credential=id&versionId=7';
  expect(withoutSecrets(presigned)).toBe('https://bucket.s3.amazonaws.com/a/b.wat.gz?versionId=7');
  expect(withoutSecrets('https://user:password@host/a?x=1')).toBe('https://host/a?x=1');
  for (const path of ['https://host/a b?x=1', 'crawl/a.wat', 's3://crawl/a?Signature=x#y']) expect(withoutSecrets(path)).toBe(path);
  expect(sourceName('s3://crawl/a/b c%20.wat.gz')).toBe('b c%20.wat.gz');
});

/** sha256 of the candidates of a run, by name. */
const digests = async (run: string): Promise<Record<string, string>> => {
  const names = (await readdir(join(run, 'candidates'))).filter((name) => name.endsWith('.parquet')).sort();
  const hash = async (name: string): Promise<string> =>
    createHash('sha256')
      .update(await readFile(join(run, 'candidates', name)))
      .digest('hex');
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await hash(name)])));
};

it('gives what local files give, and writes no credential anywhere', { timeout: 60_000 }, async () => {
  const server = await startS3Server();
  await mkdir(join(base, 'crawl'));
  for (const number of [0, 1, 2]) {
    const links = Array.from({ length: 20 }, (_, i) => image(`/${number}-${i}.png`, i % 5 === 0 ? 'x' : `Picture ${i} of file ${number}`));
    const wat = gzipped([record(watJson({ links })), record('{broken')]);
    await writeFile(join(base, 'crawl', `${number}.warc.wat.gz`), wat);
    server.objects.set(`a/${number}.warc.wat.gz`, wat);
  }
  const run = (input: string, runDir: string, ...more: string[]) =>
    pairmill(
      ['extract', '--input', input, '--run-dir', join(base, runDir), '--language-detector', 'none', '--rejects', 'all', '--workers', '2', '--json', ...more],
      environment(server),
    );
  const local = await run(join(base, 'crawl'), 'local');
  expect(local.code, local.err).toBe(0);
  const plan = await run('s3://crawl/a/', 's3', '--dry-run');
  expect(plan.out).toMatch(/extract +3 +0/);
  const remote = await run('s3://crawl/a/', 's3');
  expect(remote.code, remote.err).toBe(0);
  expect(await digests(join(base, 's3'))).toEqual(await digests(join(base, 'local')));
  const again = await run('s3://crawl/a/*.gz', 's3');
  expect(again.code, again.err).toBe(0);
  // Another ETag is another input, so that its shard is made again.
  server.objects.set('a/1.warc.wat.gz', gzipped([record(watJson({ links: [image('/new.png', 'A new picture')] }))]));
  const changed = await run('s3://crawl/a/', 's3');
  expect(changed.code, changed.err).toBe(0);
  expect(await digests(join(base, 's3'))).not.toEqual(await digests(join(base, 'local')));
  const failed = await run('s3://crawl/a/none.wat', 'failed', '--no-sign-request');
  expect([failed.code, failed.err]).toEqual([1, expect.stringContaining('The request was not signed')]);

  const texts = [local, plan, remote, again, changed, failed].flatMap(({ out, err }) => [out, err]);
  for (const entry of await readdir(base, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) texts.push(await readFile(join(entry.parentPath, entry.name), 'latin1'));
  for (const secret of Object.values(keys)) expect(texts.filter((text) => text.includes(secret))).toEqual([]);
});

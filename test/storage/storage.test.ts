import type { ServerResponse } from 'node:http';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ShardError, UsageError } from '../../src/contracts/errors.ts';
import { openStorage } from '../../src/storage/open-storage.ts';
import type { Storage } from '../../src/contracts/storage.ts';
import { environmentOf, withoutAws } from './aws-environment.ts';
import { startMotoServer } from './moto-server.ts';
import { keys, refuse, type S3Server, startS3Server } from './s3-server.ts';

withoutAws();

let base: string;
let scratch: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-storage-'));
  scratch = join(base, 'scratch');
});
afterEach(() => rm(base, { recursive: true }));

const openS3 = async (faultEvery: number): Promise<{ storage: Storage; server: S3Server }> => {
  const server = await startS3Server({ pageKeys: 3 });
  server.faultEvery = faultEvery;
  server.objects.set('work/run-2/not-ours', Buffer.from('x'));
  server.objects.set('work/run.json', Buffer.from('x'));
  return { server, storage: await openStorage('s3://crawl/work/run/', environmentOf(server)) };
};

const storages: { name: string; open: () => Promise<Storage> }[] = [
  { name: 'a folder', open: () => openStorage(join(base, 'run'), {}) },
  { name: 'S3', open: async () => (await openS3(0)).storage },
  { name: 'S3 that fails at every third request', open: async () => (await openS3(3)).storage },
  { name: 'S3 that fails at every second request', open: async () => (await openS3(2)).storage },
];

const write = async (storage: Storage, name: string, content: string | Uint8Array): Promise<void> => {
  const path = await storage.temporary(name, scratch);
  await writeFile(path, content);
  await storage.publish(path, name);
};
const writeFolder = async (storage: Storage, name: string, files: Record<string, string>): Promise<void> => {
  const path = await storage.temporary(name, scratch);
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, file)), { recursive: true });
    await writeFile(join(path, file), content);
  }
  await storage.publish(path, name);
};
const namesIn = async (storage: Storage, folder = ''): Promise<string[]> => (await Array.fromAsync(storage.listDeep(folder), ({ name }) => name)).sort();
const read = async (storage: Storage, name: string): Promise<string> => readFile(await storage.fetch(name, scratch), 'utf8');
const contentOf = async (folder: string): Promise<Record<string, string>> => {
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Object.fromEntries(await Promise.all(paths.map(async (path) => [path.slice(folder.length + 1), await readFile(path, 'utf8')])));
};

describe.each(storages)('a storage in $name', ({ open }) => {
  let storage: Storage;
  beforeEach(async () => void (storage = await open()));

  it('is empty before anything is written', async () => {
    expect(await storage.list('')).toEqual([]);
    expect(await storage.list('links')).toEqual([]);
    expect(await namesIn(storage)).toEqual([]);
    expect(await storage.size('links/0.parquet')).toBeUndefined();
    expect(await storage.readText('run.json')).toBeUndefined();
    await storage.remove('links');
    await expect(storage.fetch('links', scratch)).rejects.toThrow(ShardError);
    await expect(storage.fetch('links/0.parquet', scratch)).rejects.toThrow(/links\/0\.parquet is not there/);
  });

  it('keeps texts, and replaces them', async () => {
    await storage.writeText('run.json', '{"version": 1}');
    await storage.writeText('links/0_stats.json', '');
    expect(await storage.readText('run.json')).toBe('{"version": 1}');
    expect(await storage.readText('links/0_stats.json')).toBe('');
    await storage.writeText('run.json', 'ä日本');
    expect(await storage.readText('run.json')).toBe('ä日本');
    expect(await storage.size('run.json')).toBe(8);
    expect(await namesIn(storage)).toEqual(['links/0_stats.json', 'run.json']);
  });

  it('writes a text only where none is', async () => {
    expect(await storage.createText('a/lock', 'first')).toBe(true);
    expect(await storage.createText('a/lock', 'first')).toBe(false);
    expect(await storage.createText('a/lock', 'second')).toBe(false);
    expect(await storage.readText('a/lock')).toBe('first');
    await storage.remove('a/lock');
    expect(await storage.createText('a/lock', 'third')).toBe(true);
    const won = await Promise.all(Array.from({ length: 8 }, (_, number) => storage.createText('b', `writer ${number}`)));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(await storage.readText('b')).toBe(`writer ${won.indexOf(true)}`);
    expect(await namesIn(storage)).toEqual(['a/lock', 'b']);
  });

  it('replaces a text only where it is the expected one', async () => {
    expect(await storage.replaceText('lock', '', 'first')).toBe(false);
    expect(await namesIn(storage)).toEqual([]);
    await storage.writeText('lock', 'first');
    expect(await storage.replaceText('lock', 'another', 'second')).toBe(false);
    expect(await storage.readText('lock')).toBe('first');
    expect(await storage.replaceText('lock', 'first', 'second')).toBe(true);
    expect(await storage.replaceText('lock', 'first', 'second')).toBe(false);
    expect(await storage.readText('lock')).toBe('second');
  });

  it('lists a folder, and all below one', async () => {
    for (const name of ['links/00000.parquet', 'links/00001.parquet', 'links/deep/a', 'links/deep/er/b', 'links-2/c', 'run.json'])
      await storage.writeText(name, name);
    const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
    expect((await storage.list('')).sort(byName)).toEqual([
      { name: 'links', bytes: 0, folder: true },
      { name: 'links-2', bytes: 0, folder: true },
      { name: 'run.json', bytes: 8, folder: false },
    ]);
    expect((await storage.list('links')).sort(byName)).toEqual([
      { name: '00000.parquet', bytes: 19, folder: false },
      { name: '00001.parquet', bytes: 19, folder: false },
      { name: 'deep', bytes: 0, folder: true },
    ]);
    expect(await namesIn(storage, 'links')).toEqual(['links/00000.parquet', 'links/00001.parquet', 'links/deep/a', 'links/deep/er/b']);
    expect(await namesIn(storage)).toHaveLength(6);
    expect(await storage.list('run.json')).toEqual([]);
    expect(await storage.size('links')).toBeUndefined();
  });

  it('publishes a file over what is there', async () => {
    await write(storage, 'samples/00000.tar', 'old');
    await write(storage, 'samples/00000.tar', 'newer');
    expect(await read(storage, 'samples/00000.tar')).toBe('newer');
    expect(await storage.size('samples/00000.tar')).toBe(5);
    await write(storage, 'empty', '');
    expect([await read(storage, 'empty'), await storage.size('empty')]).toEqual(['', 0]);
    await write(storage, 'any bytes', Buffer.from([0, 255, 254, 10]));
    expect(await readFile(await storage.fetch('any bytes', scratch))).toEqual(Buffer.from([0, 255, 254, 10]));
  });

  it('publishes a folder over what is there', async () => {
    await writeFolder(storage, 'index/table', { a: 'a1', 'data/b': 'b1', 'data/c': 'c1' });
    expect(await contentOf(await storage.fetch('index/table', scratch))).toEqual({ a: 'a1', 'data/b': 'b1', 'data/c': 'c1' });
    await writeFolder(storage, 'index/table', { a: 'a2', 'data/d': 'd2' });
    expect(await contentOf(await storage.fetch('index/table', scratch))).toEqual({ a: 'a2', 'data/d': 'd2' });
    expect(await namesIn(storage)).toEqual(['index/table/a', 'index/table/data/d']);
    await write(storage, 'index/table', 'a file now');
    expect(await namesIn(storage)).toEqual(['index/table']);
    await writeFolder(storage, 'index/table', { a: 'a3' });
    expect(await namesIn(storage)).toEqual(['index/table/a']);
  });

  it('gives a new temporary path, which is in no listing', async () => {
    const path = await storage.temporary('samples/00000.tar', scratch);
    await mkdir(path);
    await writeFile(join(path, 'left over'), '');
    expect(await namesIn(storage)).toEqual([]);
    expect(await storage.list('samples')).toEqual([]);
    expect(await storage.temporary('samples/00000.tar', scratch)).toBe(path);
    await expect(stat(path)).rejects.toThrow('ENOENT');
    await writeFile(path, 'content');
    await storage.publish(path, 'samples/00000.tar');
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('removes a file, or a folder and nothing beside it', async () => {
    for (const name of ['a', 'a-b', 'c/1', 'c/2', 'c/d/3', 'c/d/4', 'c/d/5', 'c2/1', 'cc']) await storage.writeText(name, '');
    await storage.remove('a');
    expect(await namesIn(storage)).toEqual(['a-b', 'c/1', 'c/2', 'c/d/3', 'c/d/4', 'c/d/5', 'c2/1', 'cc']);
    await storage.remove('c');
    expect(await namesIn(storage)).toEqual(['a-b', 'c2/1', 'cc']);
    await storage.remove('c');
    await storage.remove('');
    expect(await namesIn(storage)).toEqual([]);
  });

  it('takes names with all kinds of signs', async () => {
    const names = ['plain.txt', 'a b.txt', "+%&=(1)'!*.txt", 'ä/日本.txt', '100%25', '#?x', 'a<b>&"c"'];
    for (const name of names) await storage.writeText(name, name);
    expect(await namesIn(storage)).toEqual([...names].sort());
    for (const name of names)
      expect([await storage.readText(name), await read(storage, name), await storage.size(name)]).toEqual([name, name, Buffer.byteLength(name)]);
    for (const name of names) await storage.remove(name);
    expect(await namesIn(storage)).toEqual([]);
  });

  it('refuses names that lead out of it', async () => {
    for (const name of ['../a', 'a/../../b', '/etc/passwd', 'a//b', './a', 'a/', 'a\0b']) {
      await expect(storage.writeText(name, ''), name).rejects.toThrow(UsageError);
      await expect(storage.fetch(name, scratch), name).rejects.toThrow(UsageError);
      await expect(storage.remove(name), name).rejects.toThrow(UsageError);
    }
  });

  it('stops when it is told to', async () => {
    await write(storage, 'file', 'content');
    if (!storage.remote) return;
    await expect(storage.fetch('file', scratch, AbortSignal.abort())).rejects.toThrow(/abort/i);
    const path = await storage.temporary('other', scratch);
    await writeFile(path, 'content');
    await expect(storage.publish(path, 'other', AbortSignal.abort())).rejects.toThrow(/abort/i);
    expect(await namesIn(storage)).toEqual(['file']);
  });
});

describe('a folder', () => {
  it('is written beside its place, and keeps what is there until the new is whole', async () => {
    const storage = await openStorage(join(base, 'run'), {});
    const path = await storage.temporary('links/0.parquet', scratch);
    expect(path).toBe(join(base, 'run/links/0.parquet.tmp'));
    expect(await storage.fetch('links', scratch)).toBe(join(base, 'run/links'));
    await storage.writeText('links/0.json', 'old');
    await mkdir(join(base, 'run/links/1.json/in the way'), { recursive: true });
    await expect(storage.writeText('links/1.json', 'new')).rejects.toThrow();
    expect(await readdir(join(base, 'run/links'))).toEqual(['0.json', '1.json']);
  });

  it('is an absolute path, also where a relative one was given', async () => {
    expect((await openStorage('some/run', {})).location).toBe(join(process.cwd(), 'some/run'));
  });
});

describe('S3', () => {
  it('leaves keys beside the prefix alone, and shows no objects that stand for folders', async () => {
    const { storage, server } = await openS3(0);
    server.objects.set('work/run/', Buffer.alloc(0));
    server.objects.set('work/run/links/', Buffer.alloc(0));
    await storage.writeText('links/a', '');
    expect(await storage.list('')).toEqual([{ name: 'links', bytes: 0, folder: true }]);
    expect((await storage.list('links')).map(({ name }) => name)).toEqual(['a']);
    expect(await namesIn(storage)).toEqual(['links/a']);
    await storage.remove('');
    expect([...server.objects.keys()].sort()).toEqual(['work/run-2/not-ours', 'work/run.json']);
    expect(storage.location).toBe('s3://crawl/work/run');
  });

  it('may be a whole bucket', async () => {
    const server = await startS3Server({ pageKeys: 500 });
    const storage = await openStorage('s3://crawl', environmentOf(server));
    for (let number = 0; number < 1234; number++) server.objects.set(`links/${number}`, Buffer.from('x'));
    expect(await storage.list('links')).toHaveLength(1234);
    server.requests.length = 0;
    await storage.remove('links');
    expect(server.objects.size).toBe(0);
    expect(server.requests.filter((line) => line.startsWith('POST'))).toHaveLength(2);
  });

  it.each([0, 3, 2])('uploads and fetches a large file, a fault at every %i. request', async (faultEvery) => {
    const { storage, server } = await openS3(faultEvery);
    const content = Buffer.alloc(40_000_000);
    for (let at = 0; at < content.length; at += 4) content.writeUInt32LE((at * 2_654_435_761) % 2 ** 32, at);
    await write(storage, 'large', content);
    expect(server.objects.get('work/run/large')!.equals(content)).toBe(true);
    expect((await readFile(await storage.fetch('large', scratch))).equals(content)).toBe(true);
    expect(server.requests.some((line) => line.includes('partNumber=3'))).toBe(true);
    expect(server.faults > 2).toBe(faultEvery > 0);
  });

  it('removes the parts of an upload that is stopped, and leaves what was there', async () => {
    const { storage, server } = await openS3(0);
    await write(storage, 'large', 'before');
    const path = await storage.temporary('large', scratch);
    await writeFile(path, Buffer.alloc(70_000_000));
    const stop = new AbortController();
    const published = storage.publish(path, 'large', stop.signal);
    while (![...server.uploads.values()].some(({ parts }) => parts.size > 0)) await new Promise((resolve) => void setTimeout(resolve, 5));
    stop.abort();
    await expect(published).rejects.toThrow(/abort/i);
    expect([...server.uploads.keys()]).toEqual([]);
    expect(server.objects.get('work/run/large')!.toString()).toBe('before');
    await storage.publish(path, 'large');
    expect(await storage.size('large')).toBe(70_000_000);
  });

  it('goes on with a part of an upload that is refused nine times in a row', async () => {
    const { storage, server } = await openS3(0);
    let refused = 0;
    server.refuses = ({ url }) => url!.includes('partNumber=2') && refused++ < 9;
    await write(storage, 'large', Buffer.alloc(20_000_000, 3));
    expect(server.objects.get('work/run/large')!.equals(Buffer.alloc(20_000_000, 3))).toBe(true);
    expect(server.requests.filter((line) => line.includes('partNumber=2'))).toHaveLength(10);
    expect(server.requests.filter((line) => line.includes('partNumber=1'))).toHaveLength(1);
  });

  it('asks again where an answer ends in the middle', async () => {
    const { storage, server } = await openS3(0);
    const cut = (_: unknown, response: ServerResponse): void => void response.end('<?xml version="1.0"?><ListBucketResult><Name>crawl</Na');
    server.instead.push(cut, cut);
    expect(await storage.list('')).toEqual([]);
    expect(server.requests).toHaveLength(3);
    server.instead.push((_, response) => void response.end('<InitiateMultipartUploadResult><Key>work/run/large</Key><Uplo'));
    await write(storage, 'large', Buffer.alloc(20_000_000, 7));
    expect(await storage.size('large')).toBe(20_000_000);
  });

  it('replaces a text for one of several that try at a time', async () => {
    const { storage } = await openS3(0);
    await storage.writeText('lock', 'stale');
    const won = await Promise.all(Array.from({ length: 8 }, (_, number) => storage.replaceText('lock', 'stale', `writer ${number}`)));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(await storage.readText('lock')).toBe(`writer ${won.indexOf(true)}`);
  });

  it('replaces a text also where the service knows no conditional writes', async () => {
    const { storage, server } = await openS3(0);
    await storage.writeText('lock', 'stale');
    server.refuses = ({ headers }) => headers['if-match'] !== undefined && 'NotImplemented';
    expect(await storage.replaceText('lock', 'stale', 'new')).toBe(true);
    expect(await storage.readText('lock')).toBe('new');
  });

  it('is reached by one client for each environment', async () => {
    const { server } = await openS3(0);
    const environment = environmentOf(server);
    let connections = 0;
    server.connected = () => void connections++;
    for (const name of ['a', 'b', 'c']) await (await openStorage(`s3://crawl/${name}`, environment)).writeText('text', name);
    expect(connections).toBe(1);
  });

  /** Loses the answer to the first request that does. */
  const loseOne = (server: S3Server, which: (request: { method?: string; url?: string }) => boolean): void => {
    server.losesAnswer = (request) => {
      if (!which(request)) return false;
      server.losesAnswer = () => false;
      return true;
    };
  };

  it('knows its own upload where the answer to its end was lost', async () => {
    const { storage, server } = await openS3(0);
    loseOne(server, ({ method, url }) => method === 'POST' && url!.includes('uploadId='));
    await write(storage, 'large', Buffer.alloc(20_000_000, 7));
    expect(server.objects.get('work/run/large')).toHaveLength(20_000_000);
    expect(server.requests.filter((line) => line.includes('?uploads'))).toHaveLength(1);
    expect([...server.uploads.keys()]).toEqual([]);
  });

  it('uploads again where the upload is gone, and does not take another object for its own', async () => {
    const { storage, server } = await openS3(0);
    await write(storage, 'large', Buffer.alloc(20_000_000, 1));
    server.losesAnswer = ({ method, url }) => {
      if (method !== 'POST' || !url!.includes('?uploads')) return false;
      server.instead.push((_, response) => refuse(response, 404, 'NoSuchUpload', 'The specified multipart upload does not exist.'));
      server.losesAnswer = () => false;
      return false;
    };
    await write(storage, 'large', Buffer.alloc(20_000_000, 2));
    expect(server.objects.get('work/run/large')!.equals(Buffer.alloc(20_000_000, 2))).toBe(true);
    expect(server.requests.filter((line) => line.startsWith('POST') && line.includes('?uploads'))).toHaveLength(3);
  });

  it('knows its own text where the answer to its writing was lost', async () => {
    const { storage, server } = await openS3(0);
    loseOne(server, ({ method }) => method === 'PUT');
    expect(await storage.createText('lock', 'ours')).toBe(true);
    expect(await storage.createText('lock', 'ours')).toBe(false);
    loseOne(server, ({ method }) => method === 'PUT');
    expect(await storage.replaceText('lock', 'ours', 'ours again')).toBe(true);
    expect(await storage.replaceText('lock', 'ours', 'ours again')).toBe(false);
  });

  it('says what could not be had, with no secret, and leaves no part of it', async () => {
    const { server } = await openS3(0);
    const storage = await openStorage('s3://crawl/work/run', environmentOf(server, { AWS_SECRET_ACCESS_KEY: 'wrong-secret' }));
    const failures = await Promise.all(
      [
        storage.list(''),
        storage.readText('a'),
        storage.size('a'),
        storage.writeText('a', ''),
        storage.createText('a', ''),
        storage.remove('a'),
        storage.fetch('a', scratch),
      ].map((work: Promise<unknown>) => work.catch((error: unknown) => error as Error)),
    );
    for (const failure of failures) {
      expect(failure).toBeInstanceOf(Error);
      expect((failure as Error).message).toMatch(/s3:\/\/crawl\/work\/run.*127\.0\.0\.1:\d+ answered 403/);
      for (const secret of [...Object.values(keys), 'wrong-secret']) expect((failure as Error).message).not.toContain(secret);
    }
    expect(await readdir(scratch).catch(() => [])).toEqual([]);
  });

  it('does not trust keys with a way out of the scratch folder', async () => {
    const { storage, server } = await openS3(0);
    server.objects.set('work/run/table/../../../../outside', Buffer.from('x'));
    await expect(storage.fetch('table', scratch)).rejects.toThrow(UsageError);
    expect(basename(scratch)).toBe('scratch');
    expect((await readdir(base)).sort()).toEqual(['scratch']);
  });
});

describe("moto's S3", () => {
  it('keeps, replaces and conditions texts and files', { timeout: 120_000 }, async (context) => {
    const storage = await openStorage('s3://crawl/work/run', environmentOf(await startMotoServer(context)));
    expect([await storage.createText('lock', 'first'), await storage.createText('lock', 'second')]).toEqual([true, false]);
    expect([await storage.replaceText('lock', 'another', 'x'), await storage.replaceText('lock', 'first', 'next')]).toEqual([false, true]);
    const won = await Promise.all(Array.from({ length: 4 }, (_, number) => storage.replaceText('lock', 'next', `writer ${number}`)));
    expect(await storage.readText('lock')).toBe(`writer ${won.indexOf(true)}`);
    await write(storage, 'large', Buffer.alloc(20_000_000, 7));
    expect((await readFile(await storage.fetch('large', scratch))).equals(Buffer.alloc(20_000_000, 7))).toBe(true);
    await writeFolder(storage, 'index', { a: 'a', 'b/c': 'c' });
    expect(await namesIn(storage)).toEqual(['index/a', 'index/b/c', 'large', 'lock']);
    await storage.remove('');
    expect(await namesIn(storage)).toEqual([]);
  });
});

describe('openStorage', () => {
  it('refuses what can not hold a run', async () => {
    await expect(openStorage('gs://bucket/run', {})).rejects.toThrow(/^gs:\/\/ can't hold the data of a run\. Give the path of a folder, or s3:/);
    await expect(openStorage('https://user:password@host/run', {})).rejects.toThrow(/^(?!.*password)/);
    await expect(openStorage('s3://user:password@bucket/run', {})).rejects.toThrow(/^(?!.*password)/);
    await expect(openStorage('s3://bucket/run', { AWS_ACCESS_KEY_ID: 'id' })).rejects.toThrow('only one is set');
    for (const location of ['s3://', 's3:///run', 's3://bucket/../run', 'ftp://host/run'])
      await expect(openStorage(location, {}), location).rejects.toThrow(UsageError);
  });
});

import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { Blocklist } from '../../../src/sources/blocklist.ts';
import { DigestSet } from '../../../src/sources/digest-set.ts';
import { startServer } from '../../net/loopback-server.ts';
import { rowsOf, runDownload, samplesOf, temporaryFolder, writeLinks } from './run-download.ts';

const bodies: Buffer[] = [];
beforeAll(async () => {
  for (let seed = 0; seed < 8; seed++) {
    const pixels = Buffer.from(Array.from({ length: 48 * 36 }, (_, i) => ((i % 48) * (seed + 3) * 5 + Math.floor(i / 48) * (seed + 2) * 7) % 256));
    bodies.push(
      await sharp(pixels, { raw: { width: 48, height: 36, channels: 1 } })
        .resize(480, 360)
        .jpeg()
        .toBuffer(),
    );
  }
});

const digest = (kind: string, bytes: Buffer | string): string => createHash(kind).update(bytes).digest('hex');
const urlOf = (path: string): string => `http://pictures.test/${path}`;

async function serve(): Promise<{ connectTo: string[]; requests: string[] }> {
  const server = await startServer((request, response) => {
    const number = Number(/^\/(\d)/.exec(request.url!)?.[1] ?? -1);
    if (number < 0) response.writeHead(404).end();
    else response.end(bodies[number]);
  });
  return { connectTo: [`::127.0.0.1:${server.port}`], requests: server.requests };
}

const list = async (name: string, content: string | Buffer): Promise<string> => {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, content);
  return path;
};

test('what a list names is dropped under its reason: URLs before a request, files and looks before anything is written', async () => {
  const { connectTo, requests } = await serve();
  const folder = await temporaryFolder();
  const paths = ['0', '1', '2', '3', '4?a b', '5', '6', '7'];
  const input = await writeLinks(
    join(folder, 'links.parquet'),
    paths.map((path) => ({ url: urlOf(path), text: path })),
  );
  const options = { connectTo, minBytes: 0 };
  const plain = await runDownload(input, options);
  const looks = (await rowsOf<{ phash: string }>(join(plain.output, '00000.parquet'))).map(({ phash }) => phash);
  // One bit away from the picture's own.
  const near = (BigInt(`0x${looks[6]}`) ^ 1n).toString(16).padStart(16, '0');
  const files = await list(
    'files.txt.gz',
    gzipSync(`# of files\r\n${digest('md5', bodies[0]!).toUpperCase()}\r\n\r\n${digest('sha1', bodies[1]!)}\r\n${digest('sha256', bodies[2]!)}\r\n${near}\r\n`),
  );
  const urls = await list('urls.txt', `${urlOf('3')}\n${urlOf('4?a%20b')}\n# kind: url-sha1\n${digest('sha1', urlOf('5'))}\n`);

  requests.length = 0;
  const run = await runDownload(input, { ...options, blocklist: [files, urls] });
  expect(run.summary).toMatchObject({ in: 8, out: 1, dropped: { 'blocklisted-file': 3, 'blocklisted-url': 3, 'blocklisted-picture': 1 } });
  expect(run.rejects.map(({ reason, value }) => `${reason} ${value}`).sort()).toEqual([
    'blocklisted-file md5',
    'blocklisted-file sha1',
    'blocklisted-file sha256',
    'blocklisted-picture 1',
    'blocklisted-url url',
    'blocklisted-url url',
    'blocklisted-url url',
  ]);
  expect(requests.filter((request) => /\/[345]/.test(request))).toEqual([]);
  expect([...(await samplesOf(join(run.output, '00000.tar'))).keys()]).toEqual(['000000007']);
  const rows = await rowsOf(join(run.output, '00000.parquet'));
  expect(
    rows.slice(0, 7).every(({ status, error_message, sha256 }) => status === 'failed_to_download' && error_message === 'blocklisted' && sha256 === null),
  ).toBe(true);
  const tar = await readFile(join(run.output, '00000.tar'));
  expect(tar.includes(bodies[2]!)).toBe(false);
});

test('another list is another way of making: a finished download is refused, and kept with --accept-changed', async () => {
  const { connectTo, requests } = await serve();
  const folder = await temporaryFolder();
  const input = await writeLinks(join(folder, 'links.parquet'), [{ url: urlOf('0'), text: 'a' }]);
  const blocklist = await list('bad.txt', `${digest('md5', 'nothing')}\n`);
  const options = { connectTo, minBytes: 0, blocklist: [blocklist] };
  const { output } = await runDownload(input, options);
  await writeFile(blocklist, `${digest('md5', bodies[0]!)}\n`);
  await expect(runDownload(input, options, { output })).rejects.toThrow(/blocklist bad\.txt was .*--redo download.*--accept-changed/s);
  requests.length = 0;
  const accepted = await runDownload(input, options, { output, acceptChanged: true });
  expect([accepted.kept, requests]).toEqual([['00000'], []]);
});

test('a line that is no entry is an error that names it, before anything is done', async () => {
  const { connectTo, requests } = await serve();
  const input = await writeLinks(join(await temporaryFolder(), 'links.parquet'), [{ url: urlOf('0'), text: 'a' }]);
  for (const [content, message] of [
    [`${digest('md5', 'a')}\nabc\n`, 'bad.txt, line 2: abc is no entry of a blocklist'],
    ['# kind: crc\n', 'line 1: crc is no kind of entry. There are md5, sha1'],
    [`# kind: sha256\n${digest('md5', 'a')}\n`, 'it is not of the kind sha256'],
  ] as const)
    await expect(runDownload(input, { connectTo, blocklist: [await list('bad.txt', content)] })).rejects.toThrow(message);
  await expect(runDownload(input, { connectTo, blocklist: ['/nowhere.txt'] })).rejects.toThrow('/nowhere.txt: there is no such file');
  expect(requests).toEqual([]);
});

test('of many entries each is found, and nothing else', async () => {
  const set = new DigestSet();
  const entries = Array.from({ length: 100_000 }, (_, i) => digest('sha256', String(i)));
  for (const entry of entries) set.add(entry);
  expect(entries.every((entry) => set.has(entry))).toBe(true);
  expect(entries.slice(0, 10_000).some((_, i) => set.has(digest('sha256', `other ${i}`)))).toBe(false);
  expect((await Blocklist.read([await list('empty.txt', '')], 4)).hasUrl('http://a.test/')).toBe(false);
});

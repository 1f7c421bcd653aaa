import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commonCrawlFiles } from '../../../src/stages/extract/common-crawl-files.ts';
import { openSource } from '../../../src/sources/open-source.ts';
import { extractOptions } from '../../../src/stages/extract/options.ts';

const body = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
let server: Server;
let origin: string;
/** Bytes after which the server hangs up, per request. */
let breaks: number[];
let ranges: (string | undefined)[];

beforeEach(async () => {
  breaks = [];
  ranges = [];
  server = createServer((request, response) => {
    if (request.url === '/crawl-data/CC-MAIN-2022-40/wat.paths.gz')
      return void response.end(gzipSync(Array.from({ length: 50 }, (_, i) => `crawl-data/${i}.wat.gz\n`).join('')));
    if (request.url !== '/file') return void response.writeHead(404).end();
    const { range } = request.headers;
    ranges.push(range);
    const start = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    response.writeHead(range ? 206 : 200, { 'content-length': body.length - start });
    const stop = breaks.shift();
    if (stop === undefined) return void response.end(body.subarray(start));
    response.write(body.subarray(start, start + stop), () => setTimeout(() => request.socket.destroy(), 50));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const chosen = async (options: object): Promise<number[]> =>
  (await commonCrawlFiles(extractOptions.parse({ crawl: 'CC-MAIN-2022-40', crawlBaseUrl: origin, ...options }))).map(({ path }) =>
    Number(/(\d+)\.wat\.gz$/.exec(path)![1]),
  );

it('takes the files of a crawl by range, or draws them without replacement', async () => {
  expect(await chosen({})).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect(await chosen({ files: '7,0-2,2-3' })).toEqual([0, 1, 2, 3, 7]);
  const drawn = await chosen({ sample: 20, seed: 4 });
  expect(new Set(drawn).size).toBe(20);
  expect(drawn).toEqual(drawn.toSorted((a, b) => a - b));
  expect(await chosen({ sample: 20, seed: 4 })).toEqual(drawn);
  expect(await chosen({ sample: 20, seed: 5 })).not.toEqual(drawn);
  expect(await chosen({ sample: 3, files: '40-42' })).toEqual([40, 41, 42]);
  await expect(chosen({ files: '0-50' })).rejects.toThrow('has 50 files');
  await expect(chosen({ files: 'all' })).rejects.toThrow('is no range');
  await expect(chosen({ sample: 51 })).rejects.toThrow('more than the 50 files');
  await expect(chosen({ crawl: 'CC-MAIN-1999-01' })).rejects.toThrow('404');
});

it('takes a broken connection up where it broke', async () => {
  breaks = [30_000, 20_000];
  const parts: Uint8Array[] = [];
  for await (const part of openSource(`${origin}/file`, new AbortController().signal)) parts.push(part);
  expect(Buffer.concat(parts).equals(body)).toBe(true);
  expect(ranges).toEqual([undefined, 'bytes=30000-', 'bytes=50000-']);
});

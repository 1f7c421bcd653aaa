import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { generateEmojiWeb } from '../../src/demo/generate.ts';
import { startOriginThread } from '../../src/demo/origin.ts';
import { type Finished, pairmill } from './pairmill.ts';

/** A small example web with three WATs, which lie on an HTTP server of their own, and runs on it. */
export interface ServedCrawl {
  /** Holds the run folders. */
  base: string;
  /** Answers with 503 for these WATs: so many times each. */
  away: Map<string, number>;
  /** Where the WATs lie. */
  wats: string;
  /** `pairmill run` with the first WATs as its input, so many, or with another input. */
  start(run: string, input: number | string, more?: string[], environment?: Record<string, string>): Promise<Finished>;
  close(): Promise<void>;
}

export async function servedCrawl(): Promise<ServedCrawl> {
  const base = await mkdtemp(join(tmpdir(), 'pairmill-mend-'));
  const crawl = join(base, 'crawl');
  const away = new Map<string, number>();
  await generateEmojiWeb({ folder: crawl, candidates: 150, crawlFiles: 3 });
  const origin = await startOriginThread({ folder: crawl });
  const server = createServer((request, response) => {
    const name = basename(request.url!);
    const left = away.get(name) ?? 0;
    away.set(name, left - 1);
    if (left > 0) response.writeHead(503).end();
    else
      readFile(join(crawl, 'wat', name)).then(
        (bytes) => response.writeHead(200, { 'content-length': bytes.length, etag: `"${bytes.length}"` }).end(bytes),
        () => response.writeHead(404).end(),
      );
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    base,
    away,
    wats: join(crawl, 'wat'),
    async start(run, input, more = [], environment = {}) {
      const config = {
        input: typeof input === 'string' ? input : Array.from({ length: input }, (_, i) => `http://127.0.0.1:${port}/0000${i}.warc.wat.gz`).join(','),
        draw: { 'number-sample-per-shard': 25 },
        download: { 'connect-to': origin.connectTo, timeout: 3, 'resize-mode': 'keep_ratio', 'max-bytes': 20_000_000 },
        filter: { model: 'mini', 'multilingual-model': 'mini' },
        embed: { model: 'mini', 'shards-per-part': 1 },
        tag: { model: 'mini' },
      };
      // JSON is YAML.
      const file = join(base, `${run}.yaml`);
      await writeFile(file, JSON.stringify(config));
      return pairmill(['run', file, '--run-dir', join(base, run), ...more], environment);
    },
    async close() {
      server.close();
      await origin.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}

/** What a command says that finds all finished. */
export const nothingToDo = 'Nothing was to be done.';

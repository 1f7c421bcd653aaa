import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateEmojiWeb } from '../../../src/demo/generate.ts';
import type { Kind } from '../../../src/demo/kinds.ts';
import { type ManifestLink, readManifestLinks } from '../../../src/demo/manifest.ts';
import { startOriginThread } from '../../../src/demo/origin.ts';
import type { DropReason } from '../../../src/contracts/drop-reason.ts';
import { type DownloadRun, rowsOf, runDownload, samplesOf, writeLinks } from './run-download.ts';

/** What download says of each kind of link that reaches it. */
const fates: Partial<Record<Kind, DropReason<'download'> | 'success'>> = {
  right: 'success',
  'near-duplicate': 'success',
  'x-robots-other': 'success',
  redirect: 'success',
  'slow-body': 'success',
  'private-address': 'private-address',
  'redirect-to-private': 'private-address',
  'robots-txt': 'robots-txt',
  'robots-txt-agent': 'robots-txt',
  'x-robots-tag': 'x-robots-tag',
  'tdm-reservation': 'tdm-reservation',
  'tiny-file': 'too-few-bytes',
  'broken-image': 'decode-failed',
  'truncated-image': 'decode-failed',
  'pixel-bomb': 'too-many-pixels',
  'svg-content': 'not-an-image',
  'gif-content': 'not-an-image',
  'status-404': 'http-not-found',
  'status-403': 'http-forbidden',
  'status-429': 'http-too-many-requests',
  'status-500': 'http-server-error',
  'redirect-loop': 'redirect-loop',
  'stalled-body': 'timeout',
  'endless-body': 'body-too-large',
};

describe('the example crawl', () => {
  let folder: string;
  let links: ManifestLink[];
  let slow: DownloadRun;
  let fast: DownloadRun;
  let asked: ReadonlyMap<string, number>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pairmill-download-'));
    await generateEmojiWeb({ folder: join(folder, 'web'), candidates: 120, crawlFiles: 1 });
    links = [];
    const seen = new Set<string>();
    for await (const link of readManifestLinks(join(folder, 'web'))) {
      if (fates[link.kind] === undefined || seen.has(link.url)) continue;
      seen.add(link.url);
      links.push(link);
    }
    const input = await writeLinks(join(folder, 'links.parquet'), links);
    const origin = await startOriginThread({ folder: join(folder, 'web') });
    // Two shards; the second run has other timing in every respect.
    const options = { connectTo: origin.connectTo, numberSamplePerShard: 150, maxBytes: 2_000_000, timeout: 3 };
    fast = await runDownload(input, { ...options }, { output: join(folder, 'fast', 'samples') });
    slow = await runDownload(
      input,
      { ...options, concurrency: 5, hostConcurrency: 1, decodeConcurrency: 1, maxBufferedBytes: 50_000 },
      { output: join(folder, 'slow', 'samples') },
    );
    await origin.close();
    asked = origin.requests();
  }, 180_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('every fault is found under its own reason, and nothing else is', async () => {
    const found = new Map(fast.rejects.map(({ url, reason }) => [url, reason]));
    const wrong = links
      .filter(({ url, kind }) => (found.get(url) ?? 'success') !== fates[kind])
      .map(({ url, kind }) => `${kind} ${url}: ${found.get(url) ?? 'success'}`);
    expect(wrong).toEqual([]);
    expect(new Set(links.map(({ kind }) => kind)).size).toBe(Object.keys(fates).length);
    expect(fast.summary.in).toBe(links.length);
    expect(fast.failed).toEqual([]);
  });

  test('nothing that was shut was asked for', () => {
    for (const { url, kind } of links) {
      if (['robots-txt', 'robots-txt-agent', 'private-address'].includes(kind)) expect(asked.get(url) ?? 0, url).toBe(0);
      if (['status-404', 'status-500', 'status-403'].includes(kind)) expect(asked.get(url), url).toBe(2);
    }
    for (const [url, times] of asked) if (url.endsWith('/robots.txt')) expect(times, url).toBe(2);
  });

  test('other timing, same bytes', async () => {
    expect(fast.made.sort()).toEqual(slow.made.sort());
    expect(fast.made.length).toBeGreaterThan(1);
    for (const shard of fast.made) {
      for (const suffix of ['.tar', '.parquet']) {
        const [a, b] = await Promise.all([fast, slow].map(async ({ output }) => readFile(join(output, shard + suffix))));
        expect(a!.equals(b!), shard + suffix).toBe(true);
      }
    }
  });

  test('rows and samples are in the order of the links', async () => {
    const rows = (await Promise.all(fast.made.sort().map(async (shard) => rowsOf(join(fast.output, `${shard}.parquet`))))).flat();
    expect(rows.map(({ url }) => url)).toEqual(links.map(({ url }) => url));
    const keys = [...(await samplesOf(join(fast.output, '00000.tar'))).keys()];
    expect(keys).toEqual(rows.filter(({ key, status }) => key.startsWith('00000') && status === 'success').map(({ key }) => key));
  });
});

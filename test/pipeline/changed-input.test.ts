import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readJson } from './demo-run.ts';
import { contentOf } from './run-content.ts';
import { servedCrawl, type ServedCrawl } from './served-crawl.ts';

/** A WAT that is added, removed or changed after everything was downloaded: what is made again, and what is refused in which words. */
let crawl: ServedCrawl;
let folder: (run: string) => string;

beforeAll(async () => {
  crawl = await servedCrawl();
  folder = (run) => join(crawl.base, run);
  for (const [run, count] of [
    ['two', 2],
    ['three', 3],
  ] as const) {
    const { code, err } = await crawl.start(run, count);
    expect(code, err).toBe(0);
  }
}, 300_000);

afterAll(() => crawl.close());

/** A copy of a finished run, to go on with. */
async function copyOf(run: string, name: string): Promise<string> {
  await cp(folder(run), folder(name), { recursive: true });
  return name;
}

/** When the shards of a dataset were made, by name. */
async function times(run: string, dataset: string): Promise<Record<string, number>> {
  const { shards } = await readJson<{ shards: Record<string, string> }>(join(folder(run), dataset, '_sealed.json'));
  const found: Record<string, number> = {};
  for (const shard of Object.keys(shards)) found[shard] = (await readJson<{ end_time: number }>(join(folder(run), dataset, `${shard}_stats.json`))).end_time;
  return found;
}

/** The error and the notes of a command, with the run's folder as RUN and the WATs' server as HTTP. */
const words = (run: string, err: string): string => err.replaceAll(folder(run), 'RUN').replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, 'HTTP');

/** The words for links that are gone: how many they are differs from run to run, as batches are drawn at random. */
const refusal =
  /^pairmill: \d+ links of \d+ batch(?:es)? \([\d, …]+\) are not in RUN\/links any more, because the input has changed since they were drawn\. Give --accept-changed to keep what was drawn and downloaded, or --accept-changed --redo draw,download to draw and download everything again\.$/m;

test('added: only what is new is downloaded, and the release is that of a run that had it from the beginning', { timeout: 300_000 }, async () => {
  const run = await copyOf('two', 'added');
  const before = await times(run, 'samples');
  const { code, err } = await crawl.start(run, 3);
  expect(code, err).toBe(0);
  const after = await times(run, 'samples');
  expect(after).toMatchObject(before);
  expect(Object.keys(after).length).toBeGreaterThan(Object.keys(before).length);
  expect((await contentOf(folder(run))).release).toEqual((await contentOf(folder('three'))).release);
});

test('removed: its candidates and links go, what was drawn is refused, and nothing of it is changed', { timeout: 300_000 }, async () => {
  const run = await copyOf('three', 'removed');
  const [batches, samples, released] = [
    await times(run, 'batches'),
    await times(run, 'samples'),
    await readFile(join(folder(run), 'release', 'manifest.json'), 'utf8'),
  ];
  const { code, err } = await crawl.start(run, 2);
  expect([code, words(run, err)]).toEqual([2, expect.stringMatching(refusal)]);
  expect(words(run, err)).toContain('extract 00002 is removed: what it was made from is gone');
  // The same command says the same.
  const again = await crawl.start(run, 2);
  expect([again.code, words(run, again.err)]).toEqual([2, expect.stringMatching(refusal)]);
  expect([await times(run, 'batches'), await times(run, 'samples'), await readFile(join(folder(run), 'release', 'manifest.json'), 'utf8')]).toEqual([
    batches,
    samples,
    released,
  ]);
  const accepted = await crawl.start(run, 2, ['--accept-changed']);
  expect(accepted.code, accepted.err).toBe(0);
  expect(await times(run, 'samples')).toEqual(samples);
  // Drawn and downloaded again, it is the run that never had it.
  const redone = await crawl.start(run, 2, ['--accept-changed', '--redo', 'draw,download']);
  expect(redone.code, redone.err).toBe(0);
  expect((await contentOf(folder(run))).release).toEqual((await contentOf(folder('two'))).release);
});

test(
  'changed: what follows from it is made again, links that are gone are refused; changed back, nothing is downloaded again',
  { timeout: 300_000 },
  async () => {
    // Of a file behind HTTP only the URL is known, so these lie on the disk.
    const wats = join(crawl.base, 'wats');
    await cp(crawl.wats, wats, { recursive: true });
    const made = await crawl.start('changed', wats);
    expect(made.code, made.err).toBe(0);
    const samples = await times('changed', 'samples');
    // The last file gets the pages of the first: its own links are gone, and no new ones come.
    const [first, last] = [await readFile(join(wats, '00000.warc.wat.gz')), await readFile(join(wats, '00002.warc.wat.gz'))];
    await writeFile(join(wats, '00002.warc.wat.gz'), first);
    const refused = await crawl.start('changed', wats);
    expect([refused.code, words('changed', refused.err)]).toEqual([2, expect.stringMatching(refusal)]);
    expect(refused.err).toContain('extract 00002 is made again (stale: 00002.warc.wat.gz has changed)');
    const accepted = await crawl.start('changed', wats, ['--accept-changed']);
    expect(accepted.code, accepted.err).toBe(0);
    expect(await times('changed', 'samples')).toEqual(samples);
    // It is what it was: its links are all drawn already, and nothing is downloaded again.
    await writeFile(join(wats, '00002.warc.wat.gz'), last);
    const back = await crawl.start('changed', wats);
    expect(back.code, back.err).toBe(0);
    expect(await times('changed', 'samples')).toEqual(samples);
    expect((await contentOf(folder('changed'))).release).toEqual((await contentOf(folder('three'))).release);
  },
);

import { cp, glob, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { routes } from '../../src/pipeline.ts';
import { pairmill } from './pairmill.ts';
import { contentOf, type RunContent } from './run-content.ts';
import { nothingToDo, servedCrawl, type ServedCrawl } from './served-crawl.ts';

/** Runs that fail in the middle and are mended by the same command, over three WATs on a real HTTP server. */
let crawl: ServedCrawl;
let quiet: RunContent;

beforeAll(async () => {
  crawl = await servedCrawl();
  const { code, err } = await crawl.start('quiet', 3);
  expect(code, err).toBe(0);
  quiet = await contentOf(join(crawl.base, 'quiet'));
}, 300_000);

afterAll(() => crawl.close());

const content = (run: string): Promise<RunContent> => contentOf(join(crawl.base, run));

async function finish(run: string, more: string[] = []): Promise<string> {
  const { code, err } = await crawl.start(run, 3, more);
  expect(code, err).toBe(0);
  return err;
}

test('a WAT that answers 503 for a while: the rest is made, and the same command ends as a quiet run', { timeout: 300_000 }, async () => {
  crawl.away.set('00001.warc.wat.gz', Infinity);
  const failed = await crawl.start('away', 3);
  crawl.away.clear();
  expect([failed.code, failed.err]).toEqual([1, expect.stringContaining('dedup is not whole: it waits for extract')]);
  await finish('away');
  expect(await content('away')).toEqual(quiet);
});

test('a WAT that answers 503 once: it is asked again, and the run ends as a quiet one', { timeout: 300_000 }, async () => {
  crawl.away.set('00001.warc.wat.gz', 1);
  await finish('once');
  crawl.away.clear();
  expect(await content('once')).toEqual(quiet);
});

test('a shard that fails in each stage, one after another: each time the same command goes on, and it ends as a quiet run', { timeout: 600_000 }, async () => {
  for (const { name } of routes.crawl) {
    const { code, err } = await crawl.start('faults', 3, [], { PAIRMILL_FAIL_AT: `${name}.written` });
    expect([code, err]).toEqual([1, expect.stringContaining(`a failure at ${name}.written`)]);
  }
  await finish('faults');
  expect(await content('faults')).toEqual(quiet);
});

// The second shard of each stage, so that something is left. Release and index have one, without which nothing comes out.
test.each([
  ['extract.written', 'dedup.written'],
  ['ingest.leased', 'draw.written', 'download.written', 'filter.written', 'embed.written', 'tag.written'],
])('--skip-failed goes on without what fails at %s …, and every later run agrees, also with another database', { timeout: 600_000 }, async (...points) => {
  const run = `skipped-${points[0]}`;
  const failed = await crawl.start(run, 3, ['--skip-failed', '--workers', '1'], { PAIRMILL_FAIL_AT: points.map((point) => `${point}:2`).join() });
  expect(failed.code, failed.err).toBe(0);
  for (const point of points) expect(failed.err).toContain(`is skipped from now on: a failure at ${point}`);
  const before = await content(run);
  expect(await finish(run)).toContain(nothingToDo);
  await rm(join(crawl.base, run, 'postgres'), { recursive: true });
  expect(await finish(run, ['--skip-failed'])).toContain(nothingToDo);
  expect(await content(run)).toEqual(before);
  // A redo takes the skips back.
  await finish(run, ['--redo', 'all']);
  expect(await content(run)).toEqual(quiet);
});

test('the run folder copied and moved, its database gone, at the end and in the middle: the same result', { timeout: 300_000 }, async () => {
  const { base, start } = crawl;
  await cp(join(base, 'quiet'), join(base, 'copied'), { recursive: true });
  await cp(join(base, 'quiet'), join(base, 'moved'), { recursive: true });
  await rm(join(base, 'moved', 'postgres'), { recursive: true, force: true });
  for (const run of ['copied', 'moved']) {
    expect(await finish(run)).toContain(nothingToDo);
    expect(await content(run)).toEqual(quiet);
  }
  // In the middle: some batches are drawn, and some links wait in the database.
  expect((await start('half', 3, [], { PAIRMILL_FAIL_AT: 'draw.written:2' })).code).toBe(1);
  await cp(join(base, 'half'), join(base, 'half-copied'), { recursive: true });
  await cp(join(base, 'half'), join(base, 'half-without'), { recursive: true });
  await rm(join(base, 'half-without', 'postgres'), { recursive: true });
  await rename(join(base, 'half'), join(base, 'half-moved'));
  for (const run of ['half-copied', 'half-without', 'half-moved']) {
    await finish(run);
    expect(await content(run)).toEqual(quiet);
  }
});

test('links that failed while nothing answered are asked for again by --retry-failed, and the run is a quiet one', { timeout: 300_000 }, async () => {
  const failed = await crawl.start('offline', 3, ['--connect-to', '::127.0.0.1:9']);
  expect([failed.code, failed.err]).toEqual([
    1,
    // What helps is said once, with the first shard or at the end.
    expect.stringMatching(/Later, the same command with --retry-failed connection-failed asks[^]*\npairmill: download kept none of \d+ links: /),
  ]);
  const err = await finish('offline', ['--retry-failed', 'connection']);
  expect(err).toMatch(/download tries \d+ links of \d+ shards again, in \d+ new shards \(\d+, /);
  expect(await content('offline')).toEqual(quiet);
  const countsOf = async (run: string): Promise<unknown> =>
    (JSON.parse(await readFile(join(crawl.base, run, 'summary.json'), 'utf8')) as { stages: Record<string, unknown>[] }).stages.map(
      ({ seconds: _, ...counts }) => counts,
    );
  expect(await countsOf('offline')).toEqual(await countsOf('quiet'));
  expect(await finish('offline', ['--retry-failed', 'connection'])).toMatch(/--retry-failed has nothing to do: .*[^]*Nothing was to be done\./);
});

/** Changes one byte in the middle of the first file that the pattern names, and no size. Returns the path within the run. */
async function flipByte(folder: string, pattern: string): Promise<string> {
  const name = (await Array.fromAsync(glob(pattern, { cwd: folder }))).sort()[0]!;
  const bytes = await readFile(join(folder, name));
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(join(folder, name), bytes);
  return name;
}

test('a byte that has changed in a file is found by verify; with --mend the same command makes the shard again, and the run is a quiet one', async () => {
  const run = join(crawl.base, 'flipped');
  await cp(join(crawl.base, 'quiet'), run, { recursive: true });
  // What shard the file of a pattern belongs to, and which of these --mend leaves: what can't be had again, and what is made from it.
  const flipped = [
    { pattern: 'links/en/*.parquet', shard: 'links 00000' },
    { pattern: 'embeddings/img_emb/*.npy', shard: 'embeddings 00000' },
    { pattern: 'release/en/*.parquet', shard: 'release 00000', left: 'it is made from pairs 00001, which is damaged too' },
    { pattern: 'batches/00001.parquet', shard: 'batches 00001', left: '25 links are drawn for it again' },
    { pattern: 'samples/00001.tar', shard: 'samples 00001', left: 'its 25 links are asked for again' },
    { pattern: 'pairs/00001.tar', shard: 'pairs 00001', left: 'it is made from samples 00001, which is damaged too' },
    { pattern: 'pairs/00000.tar', shard: 'pairs 00000' },
  ];
  const verify = async (...flags: string[]): Promise<[number | null, string[]]> => {
    const { code, out } = await pairmill(['verify', run, ...flags]);
    return [code, out.split('\n')];
  };
  const named: string[] = [];
  for (const { pattern, shard } of flipped) {
    const name = await flipByte(run, pattern);
    named.push(`damaged: ${shard} ${name.slice(name.indexOf('/') + 1)}: its sha256 is another than when it was written`);
  }
  const [code, lines] = await verify();
  expect([code, lines]).toEqual([1, expect.arrayContaining(named)]);
  // No command reads every byte, and verify has changed nothing.
  expect(await finish('flipped')).toContain(nothingToDo);

  const mended = (await verify('--mend'))[1];
  for (const { shard, left } of flipped)
    expect(mended).toContainEqual(
      left === undefined ? `The next command of the run makes ${shard} again.` : expect.stringMatching(`^${shard} stays as it is. --mend=all .*${left}`),
    );
  // A stage alone does not read what is damaged.
  const alone = await pairmill(['embed', '--run-dir', run, '--model', 'mini', '--shards-per-part', '1', '--redo', 'embed']);
  expect([alone.code, alone.err]).toEqual([
    2,
    expect.stringMatching(/embed reads pairs, of which the files of 1 shard in .* are damaged: 00000\.tar: its sha256/),
  ]);
  const err = await finish('flipped');
  expect(err).toContain('filter 00000 is made again (damaged: 00000.tar: its sha256 is another than when it was written)');
  expect(err).not.toMatch(/(?:draw|download) \d+ is made again/);

  const rest = (await verify('--mend=all'))[1].filter((line) => line.startsWith('The next command')).map((line) => /makes (\w+ \d+) again/.exec(line)![1]);
  expect(rest).toEqual(['batches 00001', 'samples 00001', 'pairs 00001', 'release 00000']);
  expect(await finish('flipped')).toMatch(/download 00001 is made again \(damaged/);
  expect(await verify()).toEqual([0, expect.arrayContaining([expect.stringContaining('0 damaged, missing or stale.')])]);
  expect(await content('flipped')).toEqual(quiet);
}, 300_000);

test('a damaged file that is put back is whole again, and its shard is not made again', async () => {
  const run = join(crawl.base, 'put-back');
  await cp(join(crawl.base, 'quiet'), run, { recursive: true });
  const tar = await flipByte(run, 'pairs/*.tar');
  expect((await pairmill(['verify', run, '--mend'])).code).toBe(1);
  await cp(join(crawl.base, 'quiet', tar), join(run, tar));
  const { code, out } = await pairmill(['verify', run, '--mend']);
  expect([code, out]).toEqual([0, expect.stringContaining('pairs 00000 is whole again, and is not made again.')]);
  expect(await finish('put-back')).toContain(nothingToDo);
}, 300_000);

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateEmojiWeb } from '../../../src/demo/generate.ts';
import { readManifestLinks, type ManifestLink } from '../../../src/demo/manifest.ts';
import type { Candidate } from '../../../src/contracts/records.ts';
import { dedup } from '../../../src/stages/dedup/dedup.ts';
import { extract } from '../../../src/stages/extract/extract.ts';
import { allRows, rejectsOf, runOneStage } from '../run-one-stage.ts';

/** What extract does with a link of each kind that it drops; all other kinds become candidates. */
const reasons: Record<string, string> = {
  'no-alt': 'no-text',
  'short-alt': 'text-too-short',
  'svg-url': 'url-format',
  'gif-url': 'url-format',
  'data-url': 'url-scheme',
  'javascript-url': 'url-scheme',
  'long-url': 'url-too-long',
  'bad-host': 'host-too-long',
  'meta-robots': 'page-opt-out',
  'page-tdm-reservation': 'page-tdm-reservation',
  'duplicate-url-in-file': 'duplicate-url',
};

let base: string;
beforeAll(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-example-'))));
afterAll(() => rm(base, { recursive: true }));

test('every planted fault of the example crawl is found under its reason, and nothing else is', { timeout: 60_000 }, async () => {
  await generateEmojiWeb({ folder: join(base, 'web'), candidates: 200, pictures: 40, crawlFiles: 3 });
  const links = await Array.fromAsync(readManifestLinks(join(base, 'web')));
  const { summary } = await runOneStage(extract, base, {}, { input: join(base, 'web/wat') });
  const expected: Record<string, number> = {};
  for (const { kind } of links) if (reasons[kind]) expected[reasons[kind]] = (expected[reasons[kind]] ?? 0) + 1;
  expect(summary.dropped).toEqual(expected);

  const name = (link: { crawl_file: string; url: string }): string => `${link.crawl_file} ${link.url}`;
  const rows = await allRows<Candidate>(join(base, 'candidates'));
  expect(rows.map(name).sort()).toEqual(
    links
      .filter(({ kind }) => !reasons[kind])
      .map(name)
      .sort(),
  );
  const texts = new Map(rows.map((row) => [name(row), row]));
  const wanted = (link: ManifestLink): string => (link.repaired ?? link.text).replaceAll(/\s+/g, ' ').trim();
  for (const link of links.filter(({ kind }) => !reasons[kind])) expect(texts.get(name(link))!.text).toBe(wanted(link).slice(0, 2000).trim());

  const deduped = await runOneStage(dedup, base, { expectedItems: 10_000 });
  expect(deduped.summary.dropped).toEqual({ 'duplicate-url': links.filter(({ kind }) => kind === 'duplicate-url-across-files').length });
  const dropped = new Set((await rejectsOf(base, 'dedup')).map(({ url }) => url));
  expect(links.filter(({ kind }) => kind === 'duplicate-url-across-files').every(({ url }) => dropped.has(url))).toBe(true);
});

test('the WARC files give the links of the WAT files', { timeout: 60_000 }, async () => {
  await generateEmojiWeb({ folder: join(base, 'web'), candidates: 200, pictures: 40, crawlFiles: 3 });
  const fromWarc = await runOneStage(extract, base, {}, { input: join(base, 'web/warc'), output: join(base, 'from-warc') });
  const fromWat = await runOneStage(extract, base, {}, { input: join(base, 'web/wat'), output: join(base, 'from-wat') });
  expect([fromWarc.summary.in, fromWarc.summary.dropped]).toEqual([fromWat.summary.in, fromWat.summary.dropped]);
  const without = (rows: Candidate[]) => rows.map((row) => ({ ...row, crawl_file: row.crawl_file.replace('.wat', ''), record_offset: 0n }));
  expect(without(await allRows(join(base, 'from-warc')))).toEqual(without(await allRows(join(base, 'from-wat'))));
});

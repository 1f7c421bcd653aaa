import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { type Pair, type Release, SemanticDuplicate } from '../../../src/contracts/records.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { pipeline, routes, withSemanticDuplicates } from '../../../src/pipeline.ts';
import { release } from '../../../src/stages/release/release.ts';
import { allRows, digests, rejectsOf, runOneStage } from '../run-one-stage.ts';
import { pairRows, writePairsAndTags } from './pair-rows.ts';

let run: string;
let rows: Pair[];
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'pairmill-semantic-'));
  onTestFinished(() => rm(run, { recursive: true, force: true }));
  rows = pairRows(50, (i) => String(i).padStart(9, '0'));
  await writePairsAndTags(run, rows);
});

/** Row i has a cosine of i / 100 with the row before it, and is marked where that is 0.4 or more. */
async function writeMarks(): Promise<void> {
  await mkdir(join(run, 'semantic-duplicates'), { recursive: true });
  const marks = rows.map(({ hash }, i) => ({ hash, cluster: 0, nearest: 1n, cosine: i === 0 ? null : i / 100, semantic_duplicate_of: i >= 40 ? 1n : null }));
  await writeParquet(join(run, 'semantic-duplicates/00000.parquet'), SemanticDuplicate, marks);
}

const released = async (): Promise<Set<bigint>> => new Set((await allRows<Release>(join(run, 'release'))).map(({ hash }) => hash));
const hashes = (some: readonly Pair[]): Set<bigint> => new Set(some.map(({ hash }) => hash));

test('what semdedup marked is dropped, or what reaches a cosine of its own; the manifest says it', async () => {
  await writeMarks();
  const { summary } = await runOneStage(release, run, { dropSemanticDuplicates: 'marked' }, { rejects: 'all' });
  expect(summary).toMatchObject({ in: 50, out: 40, dropped: { 'semantic-duplicate': 10 } });
  expect(await released()).toEqual(hashes(rows.slice(0, 40)));
  const [reject] = await rejectsOf(run, 'release');
  expect(reject).toMatchObject({ reason: 'semantic-duplicate', threshold: 'marked' });
  const manifest = JSON.parse(await readFile(join(run, 'release/manifest.json'), 'utf8'));
  expect(manifest).toMatchObject({ options: { dropSemanticDuplicates: 'marked' }, inputs: { semantic_duplicates: { rows: 50 } } });

  await runOneStage(release, run, { dropSemanticDuplicates: '0.25' }, { redo: true });
  expect(await released()).toEqual(hashes(rows.slice(0, 25)));
});

test('without the option the marks change nothing; with it, and without marks, it is refused', async () => {
  await expect(runOneStage(release, run, { dropSemanticDuplicates: '0.9' })).rejects.toThrow(/Run pairmill semdedup first/);
  await runOneStage(release, run);
  const before = await digests(join(run, 'release'));
  await writeMarks();
  const { kept } = await runOneStage(release, run);
  expect(kept).toEqual(['00000']);
  expect(await digests(join(run, 'release'))).toEqual(before);
});

test('an option that is no cosine is refused', () => {
  for (const wrong of ['1.5', '', 'all']) expect(release.options.safeParse({ dropSemanticDuplicates: wrong }).success).toBe(false);
});

test('a run has semdedup before release where it is asked for, and not otherwise', () => {
  const names = (options: Record<string, unknown>): string[] => withSemanticDuplicates(routes.crawl, { release: options }).map(({ name }) => name);
  expect(names({})).not.toContain('semdedup');
  expect(names({ dropSemanticDuplicates: 'marked' }).slice(-4)).toEqual(['tag', 'semdedup', 'release', 'index']);
  expect(names({ dropSemanticDuplicates: 'marked', semanticDuplicates: '/elsewhere' })).not.toContain('semdedup');
  expect(pipeline.map(({ name }) => name)).toContain('semdedup');
});

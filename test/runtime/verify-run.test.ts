import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { verifyRun } from '../../src/runtime/verify-run.ts';
import { openStorage } from '../../src/storage/open-storage.ts';
import { runOneStage, type StageRunSettings } from '../stages/run-one-stage.ts';
import { branchStage, copyStage, sumStage, writeNumbers } from './toy-stages.ts';

let base: string;
beforeEach(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-verify-'))));
afterEach(() => rm(base, { recursive: true }));

/** Makes numbers 00000 to 00002, their sums, and the report. */
async function makeRun(): Promise<void> {
  const input = await writeNumbers(base, { '00000': '1', '00001': '2', '00002': '4' });
  await make(copyStage, { input });
  await make(sumStage);
  await make(branchStage);
}

const make = (stage: unknown, settings?: StageRunSettings): Promise<unknown> => runOneStage(stage as Parameters<typeof runOneStage>[0], base, {}, settings);

async function findings(): Promise<string[]> {
  const datasets = Object.fromEntries(
    await Promise.all(['numbers', 'sums', 'report'].map(async (name) => [name, await openStorage(join(base, name), {})] as const)),
  );
  const found: string[] = [];
  for await (const finding of verifyRun(datasets, base, new AbortController().signal))
    if (!('verified' in finding))
      found.push(`${finding.kind}: ${finding.dataset} ${finding.shard ?? ''}${finding.file ? ` ${finding.file}` : ''}: ${finding.what}`);
  return found;
}

test('a run that is as it was made gives no finding', async () => {
  await makeRun();
  expect(await findings()).toEqual([]);
});

test('a file of another size or content is damaged, one that is gone missing, and one that no shard has left over', async () => {
  await makeRun();
  await writeFile(join(base, 'numbers', '00000.txt'), '1 1');
  await writeFile(join(base, 'numbers', '00001.txt'), '5');
  await rm(join(base, 'sums', '00002.sum'));
  await writeFile(join(base, 'sums', '00007.sum'), '7');
  await rm(join(base, 'sums', '00001_stats.json'));
  expect(await findings()).toEqual([
    'damaged: numbers 00000 00000.txt: it has 3 bytes, and 1 were written',
    'damaged: numbers 00001 00001.txt: its sha256 is another than when it was written',
    'missing: sums 00001: _sealed.json names it, and its marker is missing',
    'stale: sums 00002: it was made from sums/00001 and all before it, which is not there any more',
    'missing: sums 00002 00002.sum: the file is missing',
    'left over: sums  00001.sum: it belongs to no finished shard',
    'left over: sums  00007.sum: it belongs to no finished shard',
    'stale: report 00000: it was made from sums, which has changed since',
  ]);
});

test('a shard whose input was made again otherwise, or is gone, is stale, with what was made from it', async () => {
  await makeRun();
  await writeNumbers(base, { '00001': '5' });
  await make(copyStage, { input: join(base, 'in') });
  expect(await findings()).toEqual([
    'stale: sums 00001: it was made from numbers/00001, which has changed since',
    'stale: report 00000: it was made from numbers, which has changed since',
  ]);
  await make(sumStage);
  await make(branchStage);
  expect(await findings()).toEqual([]);
  await rm(join(base, 'in', '00002.txt'));
  await make(copyStage, { input: join(base, 'in') });
  expect(await findings()).toContain('stale: sums 00002: it was made from numbers/00002, which is not there any more');
});

test('what --keep has removed is said, and is no damage', async () => {
  await makeRun();
  for (const name of (await readdir(join(base, 'numbers'))).filter((each) => each.endsWith('_stats.json'))) {
    const path = join(base, 'numbers', name);
    await writeFile(path, JSON.stringify({ ...(JSON.parse(await readFile(path, 'utf8')) as object), removed: 1 }));
    await rm(join(base, 'numbers', name.replace('_stats.json', '.txt')));
  }
  expect((await findings()).map((line) => line.slice(0, 22))).toEqual(['removed: numbers 00000', 'removed: numbers 00001', 'removed: numbers 00002']);
});

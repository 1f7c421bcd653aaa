import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { UsageError } from '../../../src/contracts/errors.ts';
import { readParquet } from '../../../src/formats/parquet.ts';
import { release } from '../../../src/stages/release/release.ts';
import { digests, rejectsOf, runOneStage } from '../run-one-stage.ts';
import { pairRows, writePairsAndTags } from './pair-rows.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pairmill-near-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

const key = (shard: number, i: number): string => String(shard * 10_000 + i).padStart(9, '0');

/** Pictures in families of five that differ in one bit from the first; families differ in many. The last row of all has no hash. */
function phashOf(i: number): string | null {
  if (i === 59) return null;
  const family = (BigInt(Math.floor(i / 5) + 1) * 0x9e37_79b9_7f4a_7c15n) & 0xffff_ffff_ffff_ffffn;
  const member = i % 5 === 0 ? family : family ^ (1n << BigInt(i % 5));
  return member.toString(16).padStart(16, '0');
}

async function released(name: string, keyOf: (i: number) => string): Promise<{ runDir: string; hashes: bigint[]; dropped: Record<string, number> }> {
  const runDir = join(folder, name);
  const rows = pairRows(60, keyOf);
  const looks = new Map(rows.map((row, i) => [row.hash, phashOf(i)]));
  await writePairsAndTags(runDir, rows, { further: { types: { phash: z.string().nullable() }, values: ({ hash }) => ({ phash: looks.get(hash)! }) } });
  const { summary } = await runOneStage(release, runDir, { dropNearDuplicates: 2 }, { rejects: 'all' });
  const hashes: bigint[] = [];
  for (const set of ['en', 'multi', 'nolang'])
    for (const file of await readdir(join(runDir, 'release', set)))
      for await (const { hash } of readParquet<{ hash: bigint }>(join(runDir, 'release', set, file))) hashes.push(hash);
  return { runDir, hashes, dropped: summary.dropped };
}

test('of pictures that look alike that with the smallest hash stays, in whatever shards they lie; a picture without a hash stays', async () => {
  const one = await released('one', (i) => key(0, i));
  // Families: five rows each, the last of four and one without a hash.
  const rows = pairRows(60, (i) => key(0, i));
  const expected = Array.from({ length: 12 }, (_, family) => {
    const hashes = rows.slice(5 * family, 5 * family + 5).filter((_row, i) => phashOf(5 * family + i) !== null);
    return hashes.reduce((least, { hash }) => (hash < least ? hash : least), hashes[0]!.hash);
  });
  const order = (a: bigint, b: bigint): number => (a < b ? -1 : 1);
  expect(one.hashes.toSorted(order)).toEqual([...expected, rows[59]!.hash].toSorted(order));
  expect(one.dropped).toEqual({ 'near-duplicate': 47 });
  const [reject] = await rejectsOf(join(one.runDir), 'release');
  expect(reject).toMatchObject({ reason: 'near-duplicate', threshold: '2' });

  const three = await released('three', (i) => key((i * 7) % 3, (i * 13) % 60));
  expect(await digests(join(three.runDir, 'release'))).toEqual(await digests(join(one.runDir, 'release')));
});

test('pairs without the column are refused', async () => {
  await writePairsAndTags(
    join(folder, 'run'),
    pairRows(5, (i) => key(0, i)),
  );
  await expect(runOneStage(release, join(folder, 'run'), { dropNearDuplicates: 2 })).rejects.toThrow(UsageError);
});

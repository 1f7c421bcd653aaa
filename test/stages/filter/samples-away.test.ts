import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, onTestFinished } from 'vitest';
import { embed } from '../../../src/stages/embed/embed.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { release } from '../../../src/stages/release/release.ts';
import { tag } from '../../../src/stages/tag/tag.ts';
import { emojiSamples, writeSamplesShard } from '../emoji-samples.ts';
import { writeFixtureMarker } from '../release/pair-rows.ts';
import { digests, runOneStage } from '../run-one-stage.ts';

/** A run with two shards of samples: those of another tool, or with our markers. */
async function samplesRun(ours: boolean): Promise<string> {
  const run = await mkdtemp(join(tmpdir(), 'samples-away-'));
  onTestFinished(() => rm(run, { recursive: true, force: true }));
  const folder = join(run, 'samples');
  for (const [name, samples] of [
    ['00000', emojiSamples.slice(0, 2)],
    ['00001', emojiSamples.slice(2, 4)],
  ] as const) {
    await writeSamplesShard(folder, name, samples);
    if (ours) await writeFixtureMarker(folder, 'download', name, { out: 2, files: [`${name}.tar`, `${name}.parquet`], options: {}, models: {} });
  }
  return run;
}

/** Filter to release; returns the shards that each has made. */
async function finish(run: string): Promise<Record<string, string[]>> {
  const made: Record<string, string[]> = {};
  for (const stage of [filter, embed, tag, release]) {
    const options = stage === release ? {} : { model: 'mini' };
    made[stage.name] = (await runOneStage(stage, run, options)).made;
  }
  return made;
}

test("another tool's tar that was away during filter comes in once it is back, and so does all that follows", async () => {
  const [quiet, run] = [await samplesRun(false), await samplesRun(false)];
  await finish(quiet);
  const [tar, away] = [join(run, 'samples', '00001.tar'), join(run, 'away.tar')];
  await rename(tar, away);
  expect(await finish(run)).toEqual({ filter: ['00000'], embed: ['00000'], tag: ['00000'], release: ['00000'] });
  await rename(away, tar);
  expect(await finish(run)).toEqual({ filter: ['00001'], embed: ['00001'], tag: ['00001'], release: ['00000'] });
  expect(await digests(join(run, 'pairs'))).toEqual(await digests(join(quiet, 'pairs')));
  expect(await digests(join(run, 'release'))).toEqual(await digests(join(quiet, 'release')));
  expect(await finish(run)).toEqual({ filter: [], embed: [], tag: [], release: [] });
});

test('one of ours fails its shard by name; once it is back the same commands end as a quiet run', async () => {
  const [quiet, run] = [await samplesRun(true), await samplesRun(true)];
  await finish(quiet);
  const [tar, away] = [join(run, 'samples', '00001.tar'), join(run, 'away.tar')];
  await rename(tar, away);
  const { made, failed } = await runOneStage(filter, run, { model: 'mini' }, { mayFail: true });
  expect([made, failed]).toEqual([['00000'], [{ shard: '00001', message: expect.stringMatching(/00001\.tar in .*samples is missing/) as string }]]);
  await rename(away, tar);
  expect(await finish(run)).toEqual({ filter: ['00001'], embed: ['00000'], tag: ['00000'], release: ['00000'] });
  for (const dataset of ['pairs', 'embeddings', 'tags', 'release']) expect(await digests(join(run, dataset))).toEqual(await digests(join(quiet, dataset)));
});

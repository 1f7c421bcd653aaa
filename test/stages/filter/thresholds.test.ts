import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Pair, Reject, SampleScore } from '../../../src/contracts/records.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { score } from '../../../src/stages/filter/score.ts';
import { similarityLines } from '../../../src/stages/filter/similarities.ts';
import { type EmojiSample, emojiSamples, writeSamplesShard } from '../emoji-samples.ts';
import { allRows, rejectsOf, runOneStage } from '../run-one-stage.ts';

/** A run with shards of emoji samples. */
async function runOf(...shards: (readonly EmojiSample[])[]): Promise<string> {
  const run = await mkdtemp(join(tmpdir(), 'thresholds-'));
  onTestFinished(() => rm(run, { recursive: true, force: true }));
  for (const [i, samples] of shards.entries()) await writeSamplesShard(join(run, 'samples'), `0000${i}`, samples);
  return run;
}

const captionsOf = async (run: string): Promise<string[]> => (await allRows<Pair>(join(run, 'pairs'))).map(({ caption }) => caption);
const sealOf = async (run: string, dataset: string): Promise<{ record: Record<string, unknown> }> =>
  JSON.parse(await readFile(join(run, dataset, '_sealed.json'), 'utf8')) as { record: Record<string, unknown> };

test('the threshold of a language wins over that of its set, and only for it', async () => {
  const run = await runOf(emojiSamples);
  await runOneStage(filter, run, { model: 'mini', threshold: -1, thresholdMulti: 1, thresholdLanguage: ['de=-1', 'en=1'] });
  expect(await captionsOf(run)).toEqual(['Katzengesicht', 'apple', 'Fahrrad']);
  const rejects = await rejectsOf(run, 'filter');
  expect(rejects.filter(({ reason }) => reason === 'similarity').map(({ text, threshold }: Reject) => [text, threshold])).toEqual([
    ['dog face', '1'],
    ['red heart', '1'],
    ['flag of Japan', '1'],
    ['gato', '1'],
  ]);
});

test.each(['de', 'de=', 'de=x', 'de=1.5', 'DE=0.2', '=0.2', 'german=0.2'])('--threshold-language %s is refused with what is wanted', async (item) => {
  const run = await runOf(emojiSamples.slice(0, 1));
  await expect(runOneStage(filter, run, { model: 'mini', thresholdLanguage: [item] })).rejects.toThrow(
    /is no language with a cosine from -1 to 1. Write de=0.25/,
  );
});

test('a model without a threshold of its own is refused before it is downloaded; a share or thresholds make up for it', async () => {
  const run = await runOf(emojiSamples.slice(0, 1));
  const siglip = { model: 'siglip-vit-b-16', hubUrl: 'http://127.0.0.1:9', modelCache: join(run, 'cache') };
  await expect(runOneStage(filter, run, siglip)).rejects.toThrow(/siglip-vit-b-16 has no threshold of its own for the set en.*Give --threshold, or --keep-top/);
  await expect(runOneStage(filter, run, { ...siglip, thresholdEn: 0.1, thresholdMulti: 0.1 })).rejects.toThrow(/for the set nolang/);
  await expect(runOneStage(filter, run, { ...siglip, keepTop: 0.5 })).rejects.toThrow(/needs the scores of all samples/);
});

test('markers and seal count kept and dropped by set and similarity, and the end of a run shows them', async () => {
  const run = await runOf(emojiSamples.slice(0, 4), emojiSamples.slice(4));
  const { summary } = await runOneStage(filter, run, { model: 'mini' });
  const { similarity } = (await sealOf(run, 'pairs')).record as { similarity: Record<string, Record<string, [number, number][]>> };
  const count = (set: string, what: string): number => similarity[set]![what]!.reduce((sum, [, n]) => sum + n, 0);
  expect(['en', 'multi', 'nolang'].map((set) => [set, count(set, 'kept'), count(set, 'dropped')])).toEqual([
    ['en', 2, 1],
    ['multi', 2, 1],
    ['nolang', 1, 0],
  ]);
  expect(summary.dropped['similarity']).toBe(2);
  for (const { similarity: found } of await allRows<Pair>(join(run, 'pairs'))) {
    const bin = Math.floor((found + 1) * 100);
    expect(['en', 'multi', 'nolang'].some((set) => similarity[set]!['kept']!.some(([at]) => at === bin))).toBe(true);
  }
  const lines = similarityLines({ similarity });
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^similarity en {5}-?0\.\d\d [▁▂▃▄▅▆▇█ ]+│[▁▂▃▄▅▆▇█ ]+ 0\.\d\d {2}66\.7 % of 3 kept$/);
});

test('--keep-top keeps a share of each set, whatever the shards, their order and the workers', async () => {
  const shuffled = emojiSamples.toReversed();
  const [one, two] = [await runOf(emojiSamples), await runOf(shuffled.slice(0, 2), shuffled.slice(2, 7), shuffled.slice(7))];
  for (const [run, workers] of [
    [one, 1],
    [two, 2],
  ] as const) {
    const scored = await runOneStage(score, run, { model: 'mini' }, { workers });
    expect(scored.summary).toMatchObject({ in: 8, out: 8, dropped: {} });
    const { summary } = await runOneStage(filter, run, { model: 'mini', keepTop: 0.5 }, { workers });
    // Half of 3, 3 and 1, rounded up.
    expect(summary).toMatchObject({ in: 8, out: 5, dropped: { similarity: 2, 'decode-failed': 1 } });
  }
  expect((await captionsOf(two)).sort()).toEqual((await captionsOf(one)).sort());
  const best = (await allRows<SampleScore>(join(one, 'scores'))).filter(({ language }) => language === 'en' && language !== null);
  const highest = best.map(({ similarity }) => similarity ?? -1).sort((a, b) => b - a);
  const kept = (await allRows<Pair>(join(one, 'pairs'))).filter(({ language }) => language === 'en').map(({ similarity }) => similarity);
  expect(kept.sort((a, b) => b - a)).toEqual(highest.slice(0, 2));
});

test('--keep-top keeps what a threshold at its edge keeps, byte for byte; new samples move the edge', async () => {
  const [top, threshold] = [await runOf(emojiSamples), await runOf(emojiSamples)];
  await runOneStage(score, top, { model: 'mini' });
  await runOneStage(filter, top, { model: 'mini', keepTop: 0.4 });
  const [reject] = (await rejectsOf(top, 'filter')).filter(({ reason, text }) => reason === 'similarity' && text === 'flag of Japan');
  await runOneStage(filter, threshold, { model: 'mini', threshold: -1, thresholdEn: Number(reject!.threshold), thresholdMulti: 0.3 });
  const bytes = async (run: string): Promise<Buffer> => readFile(join(run, 'pairs', '00000.tar'));
  expect((await bytes(top)).equals(await bytes(threshold))).toBe(true);
  expect((await runOneStage(filter, top, { model: 'mini', keepTop: 0.4 })).made).toEqual([]);
  await writeSamplesShard(join(top, 'samples'), '00001', [{ icon: 'cat-face', caption: 'cat face', language: 'en' }]);
  await runOneStage(score, top, { model: 'mini' });
  const { made } = await runOneStage(filter, top, { model: 'mini', keepTop: 0.4 });
  expect(made).toEqual(['00000', '00001']);
});

test('--keep-top without scores says how to make them, and is not given together with a threshold', async () => {
  const run = await runOf(emojiSamples.slice(0, 1));
  await expect(runOneStage(filter, run, { model: 'mini', keepTop: 0.3 })).rejects.toThrow(/needs the scores of all samples. Make them with pairmill score/);
  await expect(runOneStage(filter, run, { model: 'mini', keepTop: 0.3, threshold: 0.2, thresholdLanguage: ['de=0.1'] })).rejects.toThrow(
    /--keep-top 0.3 finds the thresholds itself, and --threshold, --threshold-language are given too/,
  );
});

import { z } from 'zod';
import type { Dataset } from '../../contracts/dataset.ts';
import { SampleScore, type SetName, setNames, setOfLanguage } from '../../contracts/records.ts';
import { SimilarityHistogram, SparseCounts } from '../../contracts/similarity-histogram.ts';
import type { Stage } from '../../contracts/stage.ts';
import { readParquet } from '../../formats/parquet.ts';
import { readSampleShard, sampleShardFiles } from '../../formats/sample-shard.ts';
import { encodeAhead } from '../../models/encode-ahead.ts';
import { PREPROCESSING_CHANGE } from '../../models/preprocessing-change.ts';
import { scoreOptions } from './options.ts';
import { sampleScorer, type Score, scorerChecksums } from './sample-scorer.ts';

const ScoreWork = z.object({});

/** Fine enough that a share is met to a few samples in ten thousand, and small enough for the seal. */
const PER_UNIT = 10_000;

/** What the seal records: how the similarities of each set lie, from which filter takes the edge of a share. */
const Scores = z.object({ bins_per_unit: z.int(), en: SparseCounts, multi: SparseCounts, nolang: SparseCounts });

/**
 * samples/ -> scores/NNNNN.parquet: what filter's models say of every sample, with nothing dropped. The first of two passes, where what is
 * kept depends on all (`filter --keep-top`).
 */
export const score: Stage<'score', typeof scoreOptions, z.output<typeof ScoreWork>> = {
  name: 'score',
  does: 'Scores every sample as filter does and drops none: the first pass of filter --keep-top.',
  reads: [{ dataset: 'samples', unmarked: /^(\d+)\.tar$/ }],
  writes: 'scores',
  unit: 'samples',
  format: 2,
  formatChanges: { 2: PREPROCESSING_CHANGE },
  options: scoreOptions,
  work: ScoreWork,

  plan({ datasets }) {
    const { shards, sealed } = datasets['samples']!;
    return { shards: shards.map(({ name, digest }) => ({ name, work: {}, inputs: [{ name: `samples/${name}`, digest }] })), complete: sealed };
  },

  models: scorerChecksums,

  async run(shard, { dataset, options, resources }, effects) {
    const scorer = await sampleScorer(resources, options);
    const rows = await effects.files.parquet(`${shard.name}.parquet`, SampleScore);
    let read = 0;
    const samples = readSampleShard(await sampleShardFiles(dataset('samples')!, shard.name));
    for await (const { batch, encoded: scores } of encodeAhead(samples, options.batchSize, scorer.score)) {
      effects.signal.throwIfAborted();
      for (const [i, { key, row }] of batch.entries()) {
        const { hash, language } = row;
        await rows.write({ key, hash, language, ...columnsOf(scores[i]!) });
      }
      read += batch.length;
      effects.progress({ in: batch.length, out: batch.length });
    }
    return { in: read, out: [rows] };
  },

  async seal({ own }, { signal }) {
    return fineHistograms(own, signal);
  },
};

function columnsOf(score: Score): Omit<SampleScore, 'key' | 'hash' | 'language'> {
  if ('reason' in score) return { similarity: null, NSFW: null, ...score };
  return { similarity: score.similarity, NSFW: score.NSFW, reason: score.unlawful ?? null, value: null };
}

/** The similarities of all shards, counted by set: added up in bounded memory, whatever their order. */
async function fineHistograms(own: Dataset, signal: AbortSignal): Promise<z.infer<typeof Scores>> {
  const bySet = Object.fromEntries(setNames.map((set) => [set, new SimilarityHistogram(PER_UNIT)])) as Record<SetName, SimilarityHistogram>;
  for (const { name } of (await own.state()).shards) {
    signal.throwIfAborted();
    for await (const { language, similarity } of readParquet<SampleScore>(await own.fetch(`${name}.parquet`), ['language', 'similarity']))
      if (similarity !== null) bySet[setOfLanguage(language)].add(similarity);
  }
  return { bins_per_unit: PER_UNIT, en: bySet.en.sparse(), multi: bySet.multi.sparse(), nolang: bySet.nolang.sparse() };
}

/** The similarities from which on `share` of each set lies, of a seal's record. Exceeds the share by less than a bin. */
export function topThresholds(record: unknown, share: number): Record<SetName, number> {
  const scores = Scores.parse(record);
  const edge = (set: SetName): number => SimilarityHistogram.from(scores.bins_per_unit, scores[set]).topEdge(share);
  return { en: edge('en'), multi: edge('multi'), nolang: edge('nolang') };
}

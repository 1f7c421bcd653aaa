import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import { Pair } from '../../contracts/records.ts';
import type { PlanContext, RunContext, Stage } from '../../contracts/stage.ts';
import {
  assertTars,
  furtherColumnsOf,
  furtherSampleColumns,
  handedShardSample,
  readSampleShard,
  sampleShardFiles,
  type ShardSample,
} from '../../formats/sample-shard.ts';
import { PREPROCESSING_CHANGE } from '../../models/preprocessing-change.ts';
import { encodeAhead } from '../../models/encode-ahead.ts';
import { Underway } from '../../models/sessions/underway.ts';
import { blocklistChecksums, residentBlocklist } from '../../sources/blocklist.ts';
import { readMarker } from '../../runtime/marker.ts';
import { kebabCase } from '../../runtime/stable-json.ts';
import { type FilterOptions, filterOptions } from './options.ts';
import { openPairShard } from './pair-shard.ts';
import { modelThresholds, type SampleScorer, sampleScorer, scorerChecksums } from './sample-scorer.ts';
import { topThresholds } from './score.ts';
import { Similarities, SimilarityCounts, similarityLines } from './similarities.ts';
import { storedScorer } from './stored-scores.ts';
import { languageThresholds, Thresholds, thresholdsOf } from './thresholds.ts';

/** Thresholds that were found in all scores; absent where options and models say them. */
const FilterWork = z.object({ top: Thresholds.shape.sets.optional() });
/** What the marker of a shard says of its similarities. */
const Marked = z.object({ similarity: Similarities });
type FilterWork = z.output<typeof FilterWork>;

/**
 * samples/ -> pairs/: keeps a sample where the cosine of picture and text reaches the threshold of its set. A pairs
 * shard has the number and the keys of its samples shard.
 */
export const filter: Stage<'filter', typeof filterOptions, FilterWork> = {
  name: 'filter',
  does: 'Keeps the samples whose picture and text agree, by the cosine of their embeddings.',
  reads: [
    { dataset: 'samples', unmarked: /^(\d+)\.tar$/ },
    { dataset: 'scores', optional: true },
  ],
  writes: 'pairs',
  unit: 'samples',
  format: 3,
  formatChanges: { 3: PREPROCESSING_CHANGE },
  options: filterOptions,
  work: FilterWork,
  check: checkOptions,
  announce: ({ model, nsfwCategories }) =>
    model === 'mini' && nsfwCategories === undefined
      ? ['nothing is judged as NSFW or unlawful, because the model mini knows emoji only; with another model the categories of the package are used']
      : [],
  plan: planFilter,
  async models(options) {
    // Refused before a model is downloaded.
    if (options.keepTop === undefined) thresholdsOf(options, await modelThresholds(options));
    return { ...(await scorerChecksums(options)), ...(await blocklistChecksums(options)) };
  },

  async run({ name, work }, context, effects) {
    const { options } = context;
    const files = await sampleShardFiles(context.dataset('samples')!, name);
    const { score, thresholds, close } = await scoresOf(name, work, context);
    try {
      const further = await furtherSampleColumns(files.rows, Pair);
      const pairs = await openPairShard(name, further, { thresholds, blocklist: await residentBlocklist(options, context.resources) }, effects);
      for await (const { batch, encoded } of encodeAhead(readSampleShard(files), options.batchSize, score)) {
        effects.signal.throwIfAborted();
        await pairs.take(batch, encoded);
      }
      return pairs.result();
    } finally {
      await close?.();
    }
  },

  async receive({ name }, context, effects, columns) {
    const { options } = context;
    const { score, thresholds } = await scoresOf(name, {}, context);
    const rules = { thresholds, blocklist: await residentBlocklist(options, context.resources) };
    const pairs = await openPairShard(name, furtherColumnsOf(columns, Pair), rules, effects);
    let waiting: ShardSample[] = [];
    // One batch is judged while the next is downloaded.
    const judging = new Underway(1);
    const judge = async (): Promise<void> => {
      const batch = waiting;
      waiting = [];
      await judging.start(async () => {
        effects.signal.throwIfAborted();
        await pairs.take(batch, await score(batch));
      });
    };
    return {
      take: async (sample) => {
        waiting.push(handedShardSample(sample));
        if (waiting.length >= options.batchSize) await judge();
      },
      result: async () => {
        await judge();
        await judging.end();
        return pairs.result();
      },
    };
  },

  /** The histograms of all shards in one. */
  async seal({ own }) {
    const counts = new SimilarityCounts();
    for (const { name } of (await own.state()).shards) {
      const marked = Marked.safeParse(await readMarker(own.storage, name));
      if (marked.success) counts.addAll(marked.data.similarity);
    }
    return { similarity: counts.toJSON() };
  },

  conclude: similarityLines,
};

/** Scores that are computed, or those of the first pass, and from where on they are kept. */
async function scoresOf(
  shard: string,
  { top }: FilterWork,
  { dataset, options, resources }: Pick<RunContext<FilterOptions>, 'dataset' | 'options' | 'resources'>,
): Promise<Pick<SampleScorer, 'score'> & { thresholds: Thresholds; close?(): Promise<unknown> }> {
  if (top) return { ...storedScorer(await dataset('scores')!.fetch(`${shard}.parquet`), shard), thresholds: { sets: top, languages: {} } };
  const { score, thresholds } = await sampleScorer(resources, options);
  return { score, thresholds: thresholdsOf(options, thresholds) };
}

function planFilter({ options, datasets }: Pick<PlanContext<FilterOptions>, 'options' | 'datasets'>) {
  assertTars(datasets['samples']!, 'filter');
  const { shards, sealed } = datasets['samples']!;
  const samples = shards.map(({ name, digest }) => ({ name, input: { name: `samples/${name}`, digest } }));
  if (options.keepTop === undefined) return { shards: samples.map(({ name, input }) => ({ name, work: {}, inputs: [input] })), complete: sealed };
  const { scores } = datasets;
  if (!scores) throw new UsageError('filter --keep-top needs the scores of all samples. Make them with pairmill score in the same run folder.');
  if (!scores.sealed) return { shards: [], complete: false };
  const top = topThresholds(scores.record, options.keepTop);
  const scored = new Map(scores.shards.map(({ name, digest }) => [name, digest]));
  // What is kept depends on all scores by these three numbers alone.
  const edges = { name: `the top ${options.keepTop} of the scores`, digest: JSON.stringify(top) };
  return {
    shards: samples.map(({ name, input }) => ({
      name,
      work: { top },
      inputs: [input, { name: `scores/${name}`, digest: scored.get(name) ?? 'missing' }, edges],
    })),
    complete: sealed,
  };
}

function checkOptions({ keepTop, ...options }: FilterOptions): void {
  languageThresholds(options.thresholdLanguage);
  if (keepTop === undefined) return;
  const given = (['threshold', 'thresholdEn', 'thresholdMulti', 'thresholdNolang', 'thresholdLanguage'] as const).filter((key) => options[key] !== undefined);
  if (given.length > 0)
    throw new UsageError(
      `--keep-top ${keepTop} finds the thresholds itself, and ${given.map((key) => `--${kebabCase(key)}`).join(', ')} ${given.length > 1 ? 'are' : 'is'} given too. Leave out one or the other.`,
    );
}

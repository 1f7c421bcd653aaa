import { z } from 'zod';
import { messageOf, ShardError } from '../../contracts/errors.ts';
import { Pair, type SetName, setOfLanguage, withFurtherColumns } from '../../contracts/records.ts';
import type { RowWriter, SampleFileWriter } from '../../contracts/shard-files.ts';
import type { Effects, Stage } from '../../contracts/stage.ts';
import { type FurtherColumns, furtherValues } from '../../formats/further-columns.ts';
import { extendedJson, floatColumns } from '../../formats/sample-json.ts';
import { furtherSampleColumns, readSampleShard, sampleShardFiles, type ShardSample } from '../../formats/sample-shard.ts';
import { modelChecksums } from '../../models/load-model.ts';
import { modelSettings } from '../../models/model-settings.ts';
import { filterOptions } from './options.ts';
import { multilingualModel, scorersBySet, type SetScorer, similarities, type Similarity } from './set-scorer.ts';

const FilterWork = z.object({});

/**
 * samples/ -> pairs/: keeps a sample where the cosine of picture and text reaches the threshold of its set. A pairs
 * shard has the number and the keys of its samples shard.
 */
export const filter: Stage<'filter', typeof filterOptions, z.output<typeof FilterWork>> = {
  name: 'filter',
  does: 'Keeps the samples whose picture and text agree, by the cosine of their embeddings.',
  reads: [{ dataset: 'samples', unmarked: /^(\d+)\.tar$/ }],
  writes: 'pairs',
  unit: 'samples',
  format: 2,
  options: filterOptions,
  work: FilterWork,

  plan({ datasets }) {
    const { shards, sealed } = datasets['samples']!;
    return { shards: shards.map(({ name, digest }) => ({ name, work: {}, inputs: [{ name: `samples/${name}`, digest }] })), complete: sealed };
  },

  async models(options) {
    const settings = modelSettings(options);
    return { ...(await modelChecksums(options.model, settings)), ...(await modelChecksums(multilingualModel(options), settings)) };
  },

  async run(shard, context, effects) {
    const { options } = context;
    const scorers = await scorersBySet(context.resources, options);
    const files = await sampleShardFiles(context.dataset('samples')!, shard.name);
    const further = await furtherSampleColumns(files.rows, Pair);
    const output: Output = {
      tar: await effects.files.samples(`${shard.name}.tar`),
      rows: await effects.files.parquet(`${shard.name}.parquet`, withFurtherColumns(Pair, further, 'first')),
      further,
    };
    let read = 0;
    for await (const batch of batches(readSampleShard(files), options.batchSize)) {
      effects.signal.throwIfAborted();
      read += batch.length;
      const scores = await score(batch, scorers);
      for (const [i, sample] of batch.entries()) await keepOrDrop(sample, scores[i]!, scorers, output, effects);
      effects.progress({ in: batch.length });
    }
    return { in: read, out: [output.rows] };
  },
};

/** Similarities of a batch, in its order: each set by its model. */
async function score(batch: readonly ShardSample[], scorers: Record<SetName, SetScorer>): Promise<Similarity[]> {
  const scores: Similarity[] = [];
  // By model and not by set: with one model for all, the batch stays whole.
  const groups = Map.groupBy(batch.keys(), (i) => scorers[setOfLanguage(batch[i]!.row.language)].model);
  for (const [model, indexes] of groups) {
    const found = await similarities(
      model,
      indexes.map((i) => ({ picture: batch[i]!.picture, text: batch[i]!.row.caption })),
    );
    for (const [at, i] of indexes.entries()) scores[i] = found[at]!;
  }
  return scores;
}

interface Output {
  tar: SampleFileWriter;
  rows: RowWriter<Pair>;
  /** Columns of the samples that are none of ours. */
  further: FurtherColumns;
}

async function keepOrDrop(
  { key, row, raw, members }: ShardSample,
  score: Similarity,
  scorers: Record<SetName, SetScorer>,
  { tar, rows, further }: Output,
  effects: Effects<'filter'>,
): Promise<void> {
  const item = { hash: row.hash, url: row.url, text: row.caption };
  if ('reason' in score) {
    effects.drop(score.reason, { ...item, value: score.value, threshold: null });
    return;
  }
  const { similarity } = score;
  const { threshold } = scorers[setOfLanguage(row.language)];
  if (!(similarity >= threshold)) {
    effects.drop('similarity', { ...item, value: String(similarity), threshold: String(threshold) });
    return;
  }
  await tar.write(
    key,
    [...members].map(([suffix, bytes]) => [suffix, suffix === 'json' ? pairJson(key, bytes, similarity) : bytes] as const),
  );
  await rows.write({ ...furtherValues(raw, further), ...row, similarity, NSFW: null });
  effects.progress({ out: 1 });
}

const floats = floatColumns(Pair);

function pairJson(key: string, json: Uint8Array, similarity: number): Uint8Array {
  try {
    return extendedJson(json, { similarity, NSFW: null }, floats);
  } catch (error) {
    throw new ShardError(`the json of the sample ${key} can't be read: ${messageOf(error)}. Make the samples shard again.`, { cause: error });
  }
}

async function* batches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

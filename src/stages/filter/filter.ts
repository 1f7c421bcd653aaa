import { join } from 'node:path';
import { messageOf, ShardError } from '../../contracts/errors.ts';
import { Pair, type SetName } from '../../contracts/records.ts';
import type { Effects, Stage } from '../../contracts/stage.ts';
import { countParquetRows, ParquetFileWriter } from '../../formats/parquet.ts';
import { readSampleShard, type ShardSample } from '../../formats/sample-shard.ts';
import { SampleWriter, indexTar } from '../../formats/webdataset.ts';
import { modelChecksums } from '../../models/load-model.ts';
import { modelSettings } from '../../models/model-settings.ts';
import { closeSharedModels } from '../../models/shared-models.ts';
import { publish } from '../../runtime/publication.ts';
import { publishedInputs } from '../../runtime/shard-inputs.ts';
import { filterOptions } from './options.ts';
import { scoredJson } from './scored-json.ts';
import { setOfLanguage } from './set-of-language.ts';
import { type Judge, judges, multilingualModel, similarities, type Similarity } from './similarity.ts';

/**
 * samples/ -> pairs/: keeps a sample where the cosine of picture and text reaches the threshold of its set. A pairs
 * shard has the number and the keys of its samples shard.
 */
export const filter: Stage<'filter', typeof filterOptions> = {
  name: 'filter',
  does: 'Keeps the samples whose picture and text agree, by the cosine of their embeddings.',
  reads: 'samples',
  writes: 'pairs',
  unit: 'samples',
  format: 1,
  options: filterOptions,

  async plan({ folders }) {
    const shards = await publishedInputs(folders.input, '.tar');
    return shards.map(({ name, identity }) => ({ name, inputs: [{ path: join(folders.input, `${name}.tar`), identity }] }));
  },

  async models(options) {
    const settings = modelSettings(options);
    return { ...(await modelChecksums(options.model, settings)), ...(await modelChecksums(multilingualModel(options), settings)) };
  },

  async run(shard, { options, folders }, effects) {
    const bySet = await judges(options);
    return publish(effects, async (publication) => {
      const tarPath = await publication.file(join(folders.output, `${shard.name}.tar`));
      const rowsPath = await publication.file(join(folders.output, `${shard.name}.parquet`));
      const tar = await SampleWriter.open(tarPath);
      const rows = await ParquetFileWriter.open(rowsPath, Pair);
      let came = 0;
      try {
        for await (const batch of batches(readSampleShard(folders.input, shard.name), options.batchSize)) {
          effects.signal.throwIfAborted();
          came += batch.length;
          const scores = await score(batch, bySet);
          for (const [i, sample] of batch.entries()) await keepOrDrop(sample, scores[i]!, bySet, { tar, rows }, effects);
          effects.progress({ in: batch.length });
        }
      } catch (error) {
        await Promise.allSettled([tar.abort(), rows.abort()]);
        throw error;
      }
      await tar.close();
      await rows.close();
      const out = await countParquetRows(rowsPath);
      const pictures = [...(await indexTar(tarPath)).keys()].filter((name) => name.endsWith('.json')).length;
      if (pictures !== out) throw new ShardError(`filter ${shard.name}: the tar holds ${pictures} samples and the parquet ${out} rows. Please report this.`);
      return { in: came, out };
    });
  },

  close: closeSharedModels,
};

/** Similarities of a batch, in its order: each set by its model. */
async function score(batch: readonly ShardSample[], bySet: Record<SetName, Judge>): Promise<Similarity[]> {
  const scores: Similarity[] = [];
  // By model and not by set: with one model for all, the batch stays whole.
  const groups = Map.groupBy(batch.keys(), (i) => bySet[setOfLanguage(batch[i]!.row.language)].model);
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
  tar: SampleWriter;
  rows: ParquetFileWriter<Pair>;
}

async function keepOrDrop(
  { key, row, members }: ShardSample,
  score: Similarity,
  bySet: Record<SetName, Judge>,
  { tar, rows }: Output,
  effects: Effects<'filter'>,
): Promise<void> {
  const item = { hash: row.hash, url: row.url, text: row.caption };
  if ('reason' in score) {
    effects.drop(score.reason, { ...item, value: score.value, threshold: null });
    return;
  }
  const { similarity } = score;
  const { threshold } = bySet[setOfLanguage(row.language)];
  if (!(similarity >= threshold)) {
    effects.drop('similarity', { ...item, value: String(similarity), threshold: String(threshold) });
    return;
  }
  await tar.write(
    key,
    [...members].map(([suffix, bytes]) => [suffix, suffix === 'json' ? json(key, bytes, similarity) : bytes] as const),
  );
  await rows.write({ ...row, similarity, NSFW: null });
  effects.progress({ out: 1 });
}

function json(key: string, bytes: Uint8Array, similarity: number): Uint8Array {
  try {
    return scoredJson(bytes, similarity);
  } catch (error) {
    throw new ShardError(`the json of the sample ${key} can't be read: ${messageOf(error)}. Make the samples shard again.`);
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

import type { Dataset } from '../../contracts/dataset.ts';
import { EmbeddingMetadata, withFurtherColumns } from '../../contracts/records.ts';
import type { RowWriter, VectorWriter } from '../../contracts/shard-files.ts';
import type { Effects, Stage } from '../../contracts/stage.ts';
import { type FurtherColumns, furtherValues, mergedColumns } from '../../formats/further-columns.ts';
import { readPictureRows } from '../../formats/picture-rows.ts';
import { furtherSampleColumns, readSampleShard, sampleRowsFile, sampleShardFiles, type ShardSample } from '../../formats/sample-shard.ts';
import { encodeAhead } from '../../models/encode-ahead.ts';
import { modelChecksums, type SharedEncoders } from '../../models/load-model.ts';
import { modelSettings } from '../../models/model-settings.ts';
import { PREPROCESSING_CHANGE } from '../../models/preprocessing-change.ts';
import { modelFrom } from '../../models/shared-models.ts';
import { embedOptions } from './options.ts';
import { PartWork, planParts } from './plan-parts.ts';

/**
 * pairs/ -> embeddings/ in clip-retrieval's layout: img_emb/img_emb_NNNNN.npy, text_emb/text_emb_NNNNN.npy and
 * metadata/metadata_NNNNN.parquet, whose rows i are the same sample. The metadata is published last.
 */
export const embed: Stage<'embed', typeof embedOptions, PartWork> = {
  name: 'embed',
  does: 'Computes the embeddings of pictures and texts, in the layout of clip-retrieval.',
  reads: [{ dataset: 'pairs', unfiltered: true, unmarked: [/^(\d+)\.tar$/, /^(\d+)\.parquet$/] }],
  writes: 'embeddings',
  unit: 'pairs',
  format: 3,
  formatChanges: { 3: PREPROCESSING_CHANGE },
  options: embedOptions,
  work: PartWork,
  records: true,

  plan: planParts,
  models: (options) => modelChecksums(options.model, modelSettings(options)),

  async run(part, context, effects) {
    const { options } = context;
    const pairs = context.dataset('pairs')!;
    const started = performance.now();
    const model = await modelFrom(context.resources, options.model, modelSettings(options));
    await model.open();
    const loading = (performance.now() - started) / 1000;
    const type = options.precision === 'float32' ? '<f4' : '<f2';
    const ofShards: FurtherColumns[] = [];
    for (const name of part.work.shards) ofShards.push(await furtherSampleColumns(await sampleRowsFile(pairs, name), EmbeddingMetadata));
    const further = mergedColumns(ofShards);
    const output: Output = {
      images: await effects.files.npy(`img_emb/img_emb_${part.name}.npy`, model.dimensions, type),
      texts: await effects.files.npy(`text_emb/text_emb_${part.name}.npy`, model.dimensions, type),
      rows: await effects.files.parquet(`metadata/metadata_${part.name}.parquet`, withFurtherColumns(EmbeddingMetadata, further, 'last')),
      further,
    };
    const before = await model.usage();
    let read = 0;
    for await (const { batch, encoded } of encodeAhead(samplesOf(part.work.shards, pairs), options.batchSize, (batch) => encodeBatch(batch, model))) {
      effects.signal.throwIfAborted();
      read += batch.length;
      await writeBatch(batch, encoded, output, effects);
      effects.progress({ in: batch.length });
    }
    const { seconds, threads } = await model.usage();
    return { in: read, out: [output.rows], extra: { encoder: { loading, seconds: seconds - before.seconds, threads } } };
  },
};

async function* samplesOf(shards: readonly string[], pairs: Dataset): AsyncGenerator<ShardSample> {
  for (const name of shards) {
    const tar = (await pairs.storage.size(`${name}.tar`)) !== undefined;
    // Without a tar, the pictures are in the rows, if anywhere.
    if (tar || (await sampleRowsFile(pairs, name)) === undefined) yield* readSampleShard(await sampleShardFiles(pairs, name));
    else yield* readPictureRows(await pairs.fetch(`${name}.parquet`), name);
  }
}

interface Encoded {
  images: readonly (Float32Array | Error)[];
  texts: readonly (Float32Array | Error)[];
}

async function encodeBatch(batch: readonly ShardSample[], model: SharedEncoders): Promise<Encoded> {
  const [images, texts] = await Promise.all([model.encodeImages(batch.map(({ picture }) => picture)), model.encodeTexts(batch.map(({ row }) => row.caption))]);
  return { images, texts };
}

interface Output {
  images: VectorWriter;
  texts: VectorWriter;
  rows: RowWriter<EmbeddingMetadata>;
  /** Columns of the pairs that are none of ours. */
  further: FurtherColumns;
}

async function writeBatch(batch: readonly ShardSample[], { images, texts }: Encoded, output: Output, effects: Effects<'embed'>): Promise<void> {
  for (const [i, { key, row, raw }] of batch.entries()) {
    const [image, text] = [images[i]!, texts[i]!];
    const drop = (reason: 'decode-failed' | 'text-failed', { message }: Error): void =>
      effects.drop(reason, { hash: row.hash, url: row.url, text: row.caption, value: message, threshold: null });
    if (image instanceof Error) {
      drop('decode-failed', image);
      continue;
    }
    if (text instanceof Error) {
      drop('text-failed', text);
      continue;
    }
    await output.images.write(image);
    await output.texts.write(text);
    const scored = { similarity: scoreOf(raw['similarity']), NSFW: typeof raw['NSFW'] === 'string' ? raw['NSFW'] : null };
    await output.rows.write({ image_path: key, ...row, ...scored, ...furtherValues(raw, output.further) });
    effects.progress({ out: 1 });
  }
}

/** A webdataset that no filter has seen (img2dataset's) has no similarity: not a number says so. */
function scoreOf(similarity: unknown): number {
  return typeof similarity === 'number' ? similarity : Number.NaN;
}

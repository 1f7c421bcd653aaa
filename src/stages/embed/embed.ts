import { basename, dirname, join } from 'node:path';
import { ShardError } from '../../contracts/errors.ts';
import { EmbeddingMetadata } from '../../contracts/records.ts';
import type { Effects, Stage } from '../../contracts/stage.ts';
import { npyShape, NpyWriter } from '../../formats/npy.ts';
import { countParquetRows, ParquetFileWriter } from '../../formats/parquet.ts';
import { readSampleShard, type ShardSample } from '../../formats/sample-shard.ts';
import { type DualEncoder, modelChecksums } from '../../models/load-model.ts';
import { modelSettings } from '../../models/model-settings.ts';
import { closeSharedModels, sharedModel } from '../../models/shared-models.ts';
import { publish } from '../../runtime/publication.ts';
import { embedOptions } from './options.ts';
import { planParts } from './plan-parts.ts';

/**
 * pairs/ -> embeddings/ in clip-retrieval's layout: img_emb/img_emb_NNNNN.npy, text_emb/text_emb_NNNNN.npy and
 * metadata/metadata_NNNNN.parquet, whose rows i are the same sample. The metadata is published last.
 */
export const embed: Stage<'embed', typeof embedOptions> = {
  name: 'embed',
  does: 'Computes the embeddings of pictures and texts, in the layout of clip-retrieval.',
  reads: 'pairs',
  writes: 'embeddings',
  unit: 'pairs',
  format: 1,
  options: embedOptions,

  plan: ({ options, folders }) => planParts(folders.input, options),
  models: (options) => modelChecksums(options.model, modelSettings(options)),

  async run(part, { options, folders }, effects) {
    const model = await sharedModel(options.model, modelSettings(options));
    const type = options.precision === 'float32' ? '<f4' : '<f2';
    return publish(effects, async (publication) => {
      const place = (kind: string, extension: string): Promise<string> => publication.file(join(folders.output, kind, `${kind}_${part.name}.${extension}`));
      const [imagePath, textPath, rowsPath] = [await place('img_emb', 'npy'), await place('text_emb', 'npy'), await place('metadata', 'parquet')];
      const output: Output = {
        images: await NpyWriter.open(imagePath, model.dimensions, type),
        texts: await NpyWriter.open(textPath, model.dimensions, type),
        rows: await ParquetFileWriter.open(rowsPath, EmbeddingMetadata),
      };
      let came = 0;
      try {
        for (const { path } of part.inputs) {
          let batch: ShardSample[] = [];
          const encode = async (): Promise<void> => {
            effects.signal.throwIfAborted();
            came += batch.length;
            await encodeBatch(batch, model, output, effects);
            effects.progress({ in: batch.length });
            batch = [];
          };
          for await (const sample of readSampleShard(dirname(path), basename(path, '.tar'))) {
            batch.push(sample);
            if (batch.length >= options.batchSize) await encode();
          }
          if (batch.length > 0) await encode();
        }
      } catch (error) {
        await Promise.allSettled([output.images.abort(), output.texts.abort(), output.rows.abort()]);
        throw error;
      }
      await output.images.close();
      await output.texts.close();
      await output.rows.close();
      const counts = [(await npyShape(imagePath)).rows, (await npyShape(textPath)).rows, await countParquetRows(rowsPath)];
      if (new Set(counts).size !== 1)
        throw new ShardError(`embed ${part.name}: images, texts and metadata have ${counts.join(', ')} rows. Please report this.`);
      return { in: came, out: counts[0]! };
    });
  },

  close: closeSharedModels,
};

interface Output {
  images: NpyWriter;
  texts: NpyWriter;
  rows: ParquetFileWriter<EmbeddingMetadata>;
}

async function encodeBatch(batch: readonly ShardSample[], model: DualEncoder, { images, texts, rows }: Output, effects: Effects<'embed'>): Promise<void> {
  const imageVectors = await model.encodeImages(batch.map(({ picture }) => picture));
  const textVectors = await model.encodeTexts(batch.map(({ row }) => row.caption));
  for (const [i, { key, row, raw }] of batch.entries()) {
    const [image, text] = [imageVectors[i]!, textVectors[i]!];
    const failed =
      image instanceof Error
        ? ({ reason: 'decode-failed', error: image } as const)
        : text instanceof Error
          ? ({ reason: 'text-failed', error: text } as const)
          : undefined;
    if (failed || image instanceof Error || text instanceof Error) {
      effects.drop(failed!.reason, { hash: row.hash, url: row.url, text: row.caption, value: failed!.error.message, threshold: null });
      continue;
    }
    await images.writeRow(image);
    await texts.writeRow(text);
    await rows.write({ image_path: key, ...row, similarity: scoreOf(raw['similarity']), NSFW: typeof raw['NSFW'] === 'string' ? raw['NSFW'] : null });
    effects.progress({ out: 1 });
  }
}

/** A webdataset that no filter has seen (img2dataset's) has no similarity: not a number says so. */
function scoreOf(similarity: unknown): number {
  return typeof similarity === 'number' ? similarity : Number.NaN;
}

import { z } from 'zod';
import { counted } from '../../contracts/counted.ts';
import { ShardError } from '../../contracts/errors.ts';
import type { Effects, RunContext, Shard, Stage } from '../../contracts/stage.ts';
import { HashReader } from '../../formats/hash-reader.ts';
import { readNpyBlocks } from '../../formats/npy.ts';
import { fetchPictureEmbeddings } from '../../formats/picture-embeddings.ts';
import type { FoundClassifier } from '../../models/classifiers/find-classifier.ts';
import type { Head } from '../../models/heads/head.ts';
import { headChecksums, headFiles, loadHeads } from '../../models/heads/model-heads.ts';
import { modelSettings } from '../../models/model-settings.ts';
import { findClassifiers } from '../../models/classifiers/shared-classifiers.ts';
import { captionsWithWords, readWordLists, WORD_LIST_COLUMN, wordListChecksums } from './caption-word-list.ts';
import { type TagOptions, tagOptions } from './options.ts';
import { planTags, TagWork } from './plan-tags.ts';
import { scoreCaptions } from './score-captions.ts';
import { scorePictures } from './score-pictures.ts';
import { ScoredColumns } from './scored-columns.ts';

/**
 * embeddings/ (and pairs/, where a model looks at pictures) -> tags/NNNNN.parquet: `hash` and a column for each head and each label
 * of a classifier, a row for each row of the part, in its order. A head for another model is refused, so a column never holds another
 * model's value.
 */
export const tag: Stage<'tag', typeof tagOptions, TagWork> = {
  name: 'tag',
  does: 'Scores every pair: its embedding with small heads (unsafe, watermark, aesthetic), its picture and its caption with classifiers.',
  reads: [
    { dataset: 'embeddings', unmarked: /^metadata\/metadata_(\d+)\.parquet$/ },
    { dataset: 'pairs', optional: true, unfiltered: true, unmarked: /^(\d+)\.tar$/ },
  ],
  writes: 'tags',
  unit: 'embeddings',
  format: 2,
  options: tagOptions,
  work: TagWork,
  locates: { pairs: 'pairs' },

  plan: planTags,
  async models(options) {
    const files = await headFiles(options.model, options.heads, modelSettings(options));
    const { pictures, texts } = await classifiersOf(options, new Set());
    const words = await wordListChecksums(options.captionWordList);
    return Object.assign(await headChecksums(files), words, ...[...pictures, ...texts].map(({ checksums }) => checksums)) as Record<string, string>;
  },

  async run(part, context, effects) {
    const { options } = context;
    const files = await headFiles(options.model, options.heads, modelSettings(options));
    const heads = await loadHeads(options.model, files, modelSettings(options));
    const { images, metadata, rows, dimensions, type } = await fetchPictureEmbeddings(context.dataset('embeddings')!, part.name);
    const other = heads.find((head) => head.dimensions !== dimensions);
    if (other)
      throw new ShardError(
        `${images} holds vectors of ${dimensions} numbers, where the head for ${other.column} reads ${other.dimensions}: another model than ${options.model} made them. Give that model with --model.`,
      );
    const scored = await classify({ metadata, rows, heads, part }, context, effects);
    const tags = await effects.files.parquet(`${part.name}.parquet`, tagSchema(heads, scored));
    const hashes = new HashReader(metadata);
    const scorer = await context.resources.get('heads', { heads: Object.values(await headChecksums(files)), dimensions, type }, async () =>
      // Loaded here, with onnxruntime: all worker threads have this file, and few score.
      (await import('../../models/heads/head-scorer.ts')).openHeadScorer(heads, dimensions, type),
    );
    let row = 0;
    try {
      for await (const block of readNpyBlocks(images, scorer.rowsPerBlock)) {
        effects.signal.throwIfAborted();
        const scores = await scorer.score(block.values, block.rows);
        const ofHeads = Object.fromEntries(heads.map(({ column }, i) => [column, scores[i]!]));
        await tags.writeColumns(block.rows, { hash: await hashes.next(block.rows), ...ofHeads, ...scored.slice(row, row + block.rows) });
        row += block.rows;
        effects.progress({ in: block.rows, out: block.rows });
      }
    } finally {
      await hashes.close();
    }
    return { in: rows, out: [tags], ...unscored(scored) };
  },
};

async function classifiersOf(options: TagOptions, taken: Set<string>): Promise<{ pictures: FoundClassifier[]; texts: FoundClassifier[] }> {
  const settings = modelSettings(options);
  if (options.captionWordList !== undefined) taken.add(WORD_LIST_COLUMN);
  return {
    pictures: await findClassifiers(options.imageModels ?? [], 'pictures', settings, taken),
    texts: await findClassifiers(options.textModels ?? [], 'texts', settings, taken),
  };
}

/** What the models that look at pictures and captions say of the rows of a part. */
async function classify(
  { metadata, rows, heads, part }: { metadata: string; rows: number; heads: readonly Head[]; part: Shard<TagWork> },
  { options, dataset, resources }: RunContext<TagOptions>,
  effects: Effects<'tag'>,
): Promise<ScoredColumns> {
  const { pictures, texts } = await classifiersOf(options, new Set(heads.map(({ column }) => column)));
  const scored = new ScoredColumns([...pictures, ...texts], rows);
  const how = { resources, settings: modelSettings(options), batchSize: options.batchSize, signal: effects.signal };
  if (pictures.length > 0) await scorePictures({ metadata, pairs: dataset('pairs')!, shards: part.work.pairs ?? [] }, pictures, scored, how);
  if (texts.length > 0) await scoreCaptions(metadata, texts, scored, how);
  if (options.captionWordList !== undefined)
    scored.add(WORD_LIST_COLUMN, await captionsWithWords(metadata, rows, await readWordLists(options.captionWordList)));
  return scored;
}

/** The columns depend on the heads and models. */
function tagSchema(heads: readonly Head[], { columns }: ScoredColumns): z.ZodObject {
  const ofHeads = heads.map(({ column }) => [column, z.float32()] as const);
  return z.object({ hash: z.int64(), ...Object.fromEntries([...ofHeads, ...columns.map(({ name }) => [name, z.float32().nullable()] as const)]) });
}

/** What the marker and the user hear of rows without a score. */
function unscored({ missing }: ScoredColumns): { extra?: Record<string, unknown>; warnings?: string[] } {
  if (missing.size === 0) return {};
  const warnings = [...missing].map(([reason, rows]) => `no score of a model (null) in ${counted(rows, 'rows')}: ${reason}`);
  return { extra: { unscored: Object.fromEntries(missing) }, warnings };
}

import { z } from 'zod';
import { ShardError, UsageError } from '../../contracts/errors.ts';
import type { Stage } from '../../contracts/stage.ts';
import { npyShape, readNpyBlocks } from '../../formats/npy.ts';
import { countParquetRows } from '../../formats/parquet.ts';
import type { Head } from '../../models/head.ts';
import { headChecksums, headFiles, loadHeads } from '../../models/model-heads.ts';
import { HashReader } from './hash-reader.ts';
import { tagOptions } from './options.ts';

const TagWork = z.object({});

/**
 * embeddings/ -> tags/NNNNN.parquet: `hash` and a column for each head, a row for each row of the part, in its order.
 * A head for another model is refused, so a column never holds another model's value.
 */
export const tag: Stage<'tag', typeof tagOptions, z.output<typeof TagWork>> = {
  name: 'tag',
  does: 'Scores every embedding with small heads, such as unsafe, watermark or aesthetic.',
  reads: [{ dataset: 'embeddings', unmarked: /^metadata\/metadata_(\d+)\.parquet$/ }],
  writes: 'tags',
  unit: 'embeddings',
  format: 2,
  options: tagOptions,
  work: TagWork,

  plan({ options, datasets }) {
    const { shards, sealed } = datasets['embeddings']!;
    for (const { name, madeBy } of shards) {
      const made = madeBy?.options['model'];
      if (typeof made === 'string' && made !== options.model)
        throw new UsageError(
          `The embeddings ${name} were made by ${made}, but --model of tag is ${options.model}. Heads fit one model only: give --model ${made}.`,
        );
    }
    return { shards: shards.map(({ name, digest }) => ({ name, work: {}, inputs: [{ name: `embeddings/${name}`, digest }] })), complete: sealed };
  },

  models: async ({ model, heads }) => headChecksums(await headFiles(model, heads)),

  async run(part, context, effects) {
    const { options } = context;
    const files = await headFiles(options.model, options.heads);
    const heads = await loadHeads(options.model, files);
    const embeddings = context.dataset('embeddings')!;
    const images = await embeddings.fetch(`img_emb/img_emb_${part.name}.npy`);
    const metadata = await embeddings.fetch(`metadata/metadata_${part.name}.parquet`);
    const { rows: vectors, dimensions, type } = await npyShape(images);
    const other = heads.find((head) => head.dimensions !== dimensions);
    if (other)
      throw new ShardError(
        `${images} holds vectors of ${dimensions} numbers, where the head for ${other.column} reads ${other.dimensions}: another model than ${options.model} made them. Give that model with --model.`,
      );
    const tags = await effects.files.parquet(`${part.name}.parquet`, tagSchema(heads));
    const rows = await countParquetRows(metadata);
    if (rows !== vectors) throw new ShardError(`${metadata} has ${rows} rows where ${images} has ${vectors}. Make the part again (pairmill embed).`);
    const hashes = new HashReader(metadata);
    const scorer = await context.resources.get('heads', { heads: Object.values(await headChecksums(files)), dimensions, type }, async () =>
      // Loaded here, with onnxruntime: all worker threads have this file, and few score.
      (await import('../../models/head-scorer.ts')).openHeadScorer(heads, dimensions, type),
    );
    try {
      for await (const block of readNpyBlocks(images, scorer.rowsPerBlock)) {
        effects.signal.throwIfAborted();
        const scores = await scorer.score(block.values, block.rows);
        await tags.writeColumns(block.rows, { hash: await hashes.next(block.rows), ...Object.fromEntries(heads.map(({ column }, i) => [column, scores[i]!])) });
        effects.progress({ in: block.rows, out: block.rows });
      }
    } finally {
      await hashes.close();
    }
    return { in: rows, out: [tags] };
  },
};

/** The columns depend on the heads. */
function tagSchema(heads: readonly Head[]): z.ZodObject {
  return z.object({ hash: z.int64(), ...Object.fromEntries(heads.map(({ column }) => [column, z.float32()])) });
}

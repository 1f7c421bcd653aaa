import { z } from 'zod';
import { ShardError, UsageError } from '../../contracts/errors.ts';
import type { Stage } from '../../contracts/stage.ts';
import { npyShape, readNpyBatches } from '../../formats/npy.ts';
import { parquetColumns, readParquet } from '../../formats/parquet.ts';
import { sampleHash } from '../../formats/sample-hash.ts';
import type { Head } from '../../models/head.ts';
import { headChecksums, headFiles, loadHeads } from '../../models/model-heads.ts';
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
  format: 1,
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
    const heads = await loadHeads(options.model, await headFiles(options.model, options.heads));
    const embeddings = context.dataset('embeddings')!;
    const images = await embeddings.fetch(`img_emb/img_emb_${part.name}.npy`);
    const metadata = await embeddings.fetch(`metadata/metadata_${part.name}.parquet`);
    const { dimensions } = await npyShape(images);
    const other = heads.find((head) => head.dimensions !== dimensions);
    if (other)
      throw new ShardError(
        `${images} holds vectors of ${dimensions} numbers, where the head for ${other.column} reads ${other.dimensions}: another model than ${options.model} made them. Give that model with --model.`,
      );
    const tags = await effects.files.parquet(`${part.name}.parquet`, tagSchema(heads));
    const hashes = readHashes(metadata);
    let read = 0;
    for await (const { rows } of readNpyBatches(images)) {
      effects.signal.throwIfAborted();
      for (const embedding of rows) {
        const { value: hash } = await hashes.next();
        if (hash === undefined) throw new ShardError(`${metadata} ends after ${read} rows, before ${images} does. Make the part again (pairmill embed).`);
        await tags.write({ hash, ...Object.fromEntries(heads.map((head) => [head.column, head.apply(embedding)])) });
        read++;
      }
      effects.progress({ in: rows.length, out: rows.length });
    }
    if (!(await hashes.next()).done) throw new ShardError(`${metadata} has more rows than the ${read} of ${images}. Make the part again (pairmill embed).`);
    return { in: read, out: [tags] };
  },
};

/** The columns depend on the heads. */
function tagSchema(heads: readonly Head[]): z.ZodObject {
  return z.object({ hash: z.int64(), ...Object.fromEntries(heads.map(({ column }) => [column, z.float32()])) });
}

/** The identity of each row; computed where the metadata is clip-retrieval's and has none. */
async function* readHashes(path: string): AsyncGenerator<bigint, undefined> {
  const present = new Set(await parquetColumns(path));
  const columns = present.has('hash') ? (['hash'] as const) : (['url', 'caption'] as const).filter((name) => present.has(name));
  for await (const { hash, url, caption } of readParquet<{ hash?: bigint; url?: string | null; caption?: string | null }>(path, columns)) {
    yield typeof hash === 'bigint' ? hash : sampleHash(url ?? null, caption ?? null);
  }
}

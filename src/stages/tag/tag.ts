import { join } from 'node:path';
import { z } from 'zod';
import { ShardError, UsageError } from '../../contracts/errors.ts';
import type { Stage } from '../../contracts/stage.ts';
import { readNpyBatches } from '../../formats/npy.ts';
import { countParquetRows, parquetColumns, ParquetFileWriter, readParquet } from '../../formats/parquet.ts';
import { sampleHash } from '../../formats/sample-hash.ts';
import type { Head } from '../../models/head.ts';
import { headChecksums, headFiles, loadHeads } from '../../models/model-heads.ts';
import { publish } from '../../runtime/publication.ts';
import { modelOfPart, partFiles, planEmbeddingParts } from './embedding-parts.ts';
import { tagOptions } from './options.ts';

/**
 * embeddings/ -> tags/NNNNN.parquet: `hash` and a column for each head, a row for each row of the part, in its order.
 * A head for another model is refused, so a column never holds another model's value.
 */
export const tag: Stage<'tag', typeof tagOptions> = {
  name: 'tag',
  does: 'Scores every embedding with small heads, such as unsafe, watermark or aesthetic.',
  reads: 'embeddings',
  writes: 'tags',
  unit: 'embeddings',
  format: 1,
  options: tagOptions,

  async plan({ options, folders }) {
    const parts = await planEmbeddingParts(folders.input);
    for (const { name } of parts) {
      const made = await modelOfPart(folders.input, name);
      if (made !== undefined && made !== options.model)
        throw new UsageError(
          `The embeddings ${name} in ${folders.input} were made by ${made}, but --model is ${options.model}. Heads fit one model only: give --model ${made}.`,
        );
    }
    return parts;
  },

  models: async ({ model, heads }) => headChecksums(await headFiles(model, heads)),

  async run(part, { options, folders }, effects) {
    const heads = await loadHeads(options.model, await headFiles(options.model, options.heads));
    const { images, metadata } = partFiles(folders.input, part.name);
    return publish(effects, async (publication) => {
      const path = await publication.file(join(folders.output, `${part.name}.parquet`));
      const writer = await ParquetFileWriter.open(path, tagSchema(heads));
      const hashes = readHashes(metadata);
      let came = 0;
      try {
        for await (const { rows } of readNpyBatches(images)) {
          effects.signal.throwIfAborted();
          for (const embedding of rows) {
            const { value: hash } = await hashes.next();
            if (hash === undefined) throw new ShardError(`${metadata} ends after ${came} rows, before ${images} does. Make the part again (pairmill embed).`);
            await writer.write({ hash, ...Object.fromEntries(heads.map((head) => [head.column, head.apply(embedding)])) });
            came++;
          }
          effects.progress({ in: rows.length, out: rows.length });
        }
        if (!(await hashes.next()).done) throw new ShardError(`${metadata} has more rows than the ${came} of ${images}. Make the part again (pairmill embed).`);
      } catch (error) {
        await writer.abort();
        throw error;
      }
      await writer.close();
      return { in: came, out: await countParquetRows(path) };
    });
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

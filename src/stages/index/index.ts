import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../../contracts/errors.ts';
import type { IndexDescription, Modality } from '../../contracts/index-description.ts';
import { packageVersion } from '../../contracts/package-root.ts';
import type { Shard, ShardResult, Stage, StageContext } from '../../contracts/stage.ts';
import { openWorkDatabase } from '../../formats/duckdb.ts';
import { stableJson } from '../../runtime/completion.ts';
import { publish } from '../../runtime/publication.ts';
import { publishedInputs } from '../../runtime/shard-inputs.ts';
import { embeddingModel, embeddingParts, indexRows, rowsWithout } from './embedding-parts.ts';
import { type IndexOptions, indexOptions } from './options.ts';
import { loadReleased, releasedLanguages, releaseFingerprint, releaseParts } from './released-rows.ts';

const SHARD = '00000';

/** The index that `serve` answers from: exactly the rows of the release that have an embedding. One shard, as yet. */
export const index: Stage<'index', typeof indexOptions> = {
  name: 'index',
  does: 'Builds the nearest-neighbour index of exactly the rows of the release, and measures its recall.',
  reads: 'embeddings',
  writes: 'index',
  unit: 'pairs',
  format: 1,
  options: indexOptions,

  async plan(context): Promise<Shard[]> {
    const embeddings = context.folders.input;
    const release = releaseFolder(context);
    const vectors = await publishedInputs(embeddings, '.npy');
    const parts = (await releaseParts(release)).map(({ path }) => path.slice(release.length + 1));
    if (parts.length === 0)
      throw new UsageError(`${release} holds no release (SET/part-NNNNN-….parquet). Run release first, or name its folder with --release.`);
    return [
      {
        name: SHARD,
        inputs: [
          { path: embeddings, identity: `${vectors.length} parts, sha256 ${sha256(vectors)}` },
          { path: release, identity: `sha256 ${sha256({ parts, fingerprint: await releaseFingerprint(release) })}` },
        ],
      },
    ];
  },

  async run(_shard, context, effects): Promise<ShardResult> {
    const { folders, options } = context;
    const embeddings = folders.input;
    const releaseFrom = releaseFolder(context);
    const { parts, modalities, dimensions } = await embeddingParts(embeddings, await publishedInputs(embeddings, '.npy'));
    const model = await embeddingModel(embeddings, options.model);
    const database = await openWorkDatabase(join(folders.output, '.work'), { memoryMb: options.memory, threads: Math.min(4, availableParallelism()) });
    try {
      const { rows, heads } = await loadReleased(database, releaseFrom);
      effects.progress({ in: rows });
      const out = await publish(effects, async (publication) => {
        // Loaded here: every worker thread has this file, few need LanceDB.
        const { IndexWriter } = await import('../../knn/write-index.ts');
        const writer = await IndexWriter.create(await publication.file(join(folders.output, SHARD)), { dimensions, heads, modalities });
        const indexed = new BitSet(rows);
        for (const part of parts) {
          effects.signal.throwIfAborted();
          for await (const row of indexRows(database, part, heads, dimensions)) {
            // One hash, one sample: embeddings may hold it twice where pairs did; the release does not.
            if (indexed.has(row.id)) continue;
            indexed.add(row.id);
            await writer.add(row);
            effects.progress({ out: 1 });
          }
        }
        for await (const item of rowsWithout(database, indexed)) effects.drop('no-embedding', { ...item, value: null, threshold: null });
        const built = await writer.finish(options);
        const vectors: IndexDescription['vectors'] = {};
        for (const [modality, described] of Object.entries(built.vectors)) vectors[modality as Modality] = { ...described, file: `${SHARD}/${described.file}` };
        const description: IndexDescription = {
          tool: 'pairmill',
          version: packageVersion(),
          format: 1,
          model,
          dimensions,
          rows: built.rows,
          folder: SHARD,
          vectors,
          heads,
          languages: await releasedLanguages(database),
          release: { fingerprint: await releaseFingerprint(releaseFrom) },
        };
        await writeFile(await publication.file(join(folders.output, 'index.json')), `${JSON.stringify(description, null, 2)}\n`, { flush: true });
        return built;
      });
      return { in: rows, out: await countPublished(folders.output), extra: { vectors: out.vectors } };
    } finally {
      await database.close();
    }
  },
};

function releaseFolder({ folders, options }: StageContext<IndexOptions>): string {
  const folder = options.release ?? folders.stages.release;
  if (!folder) throw new UsageError('index needs the release whose rows it is to hold. Name its folder with --release.');
  return folder;
}

/** Rows that an opened index really gives out. */
async function countPublished(folder: string): Promise<number> {
  const { openIndex } = await import('../../knn/open-index.ts');
  const opened = await openIndex(folder);
  try {
    let rows = 0;
    const [modality] = Object.keys(opened.description.vectors) as Modality[];
    for await (const _ of opened.rows(modality!)) rows++;
    return rows;
  } finally {
    await opened.close();
  }
}

/** A bit for each id: 125 MB for a thousand million rows. */
class BitSet {
  readonly #bits: Uint8Array;

  constructor(size: number) {
    this.#bits = new Uint8Array(Math.ceil(size / 8));
  }

  has(id: number): boolean {
    return (this.#bits[id >>> 3]! & (1 << (id & 7))) !== 0;
  }

  add(id: number): void {
    this.#bits[id >>> 3]! |= 1 << (id & 7);
  }
}

function sha256(value: unknown): string {
  return createHash('sha256').update(stableJson(value)).digest('hex');
}

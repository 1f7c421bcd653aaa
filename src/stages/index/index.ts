import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Dataset } from '../../contracts/dataset.ts';
import { UsageError } from '../../contracts/errors.ts';
import type { IndexDescription, Modality } from '../../contracts/index-description.ts';
import { packageVersion } from '../../contracts/package-root.ts';
import type { Effects, Plan, PlanContext, Stage } from '../../contracts/stage.ts';
import { wholeInput } from '../../contracts/whole-input.ts';
import { openWorkDatabase, type WorkDatabase } from '../../formats/duckdb.ts';
import type { IndexWriter } from '../../knn/write-index.ts';
import { nextBuild, removeOtherBuilds } from './build-folder.ts';
import {
  embeddingFiles,
  EmbeddingModel,
  embeddingModels,
  EmbeddingPart,
  embeddingParts,
  fetchPart,
  indexRows,
  oneModel,
  rowsWithout,
} from './embedding-parts.ts';
import { type IndexOptions, indexOptions } from './options.ts';
import { loadReleased, releasedLanguages, releaseFiles, releaseFingerprint, releaseParts } from './released-rows.ts';

const SHARD = '00000';

/** What is joined: the parts of embeddings/ with the models that made them, and the files of the release. */
const IndexWork = z.object({ parts: z.array(EmbeddingPart), models: z.array(EmbeddingModel), release: z.array(z.string()) });
type IndexWork = z.infer<typeof IndexWork>;

/**
 * The index that `serve` answers from: exactly the rows of the release that have an embedding. One shard, as yet. Each build lies in
 * a folder of its own, and index.json, published last, names it: so a running `serve` goes on and takes up the new one.
 */
export const index: Stage<'index', typeof indexOptions, IndexWork> = {
  name: 'index',
  does: 'Builds the nearest-neighbour index of exactly the rows of the release, and measures its recall.',
  reads: [
    { dataset: 'embeddings', whole: true, unmarked: embeddingFiles },
    { dataset: 'release', whole: true, unmarked: releaseFiles },
  ],
  writes: 'index',
  unit: 'pairs',
  format: 1,
  options: indexOptions,
  work: IndexWork,
  locates: { release: 'release' },
  swaps: true,

  plan: planIndex,

  async run({ work }, context, effects) {
    const { options } = context;
    const embeddings = context.dataset('embeddings')!;
    const release = context.dataset('release')!;
    const model = oneModel(work.models, options.model);
    const build = await nextBuild(context.own.storage, SHARD);
    const database = await openWorkDatabase(join(context.scratch, 'duckdb'), { memoryMb: options.memory, threads: Math.min(4, availableParallelism()) });
    try {
      const { rows, heads } = await loadReleased(database, await fetchAll(release, work.release));
      effects.progress({ in: rows });
      const folder = await effects.files.path(build);
      const { dimensions, ...built } = await buildIndex(folder, { database, embeddings, parts: work.parts, heads, rows, options }, effects);
      const description: IndexDescription = {
        tool: 'pairmill',
        version: packageVersion(),
        format: 1,
        model,
        dimensions,
        rows: built.rows,
        folder: '.',
        vectors: built.vectors,
        heads,
        languages: await releasedLanguages(database),
        release: { fingerprint: await releaseFingerprint(release) },
      };
      const out = await countRows(folder, description);
      await writeFile(await effects.files.path('index.json'), `${JSON.stringify(below(build, description), null, 2)}\n`);
      return { in: rows, out, extra: { vectors: below(build, description).vectors } };
    } finally {
      await database.close();
    }
  },

  seal: ({ own }) => removeOtherBuilds(own.storage),
};

function planIndex({ datasets }: Pick<PlanContext<IndexOptions>, 'datasets'>): Plan<IndexWork> {
  const [embeddings, release] = [datasets['embeddings']!, datasets['release']!];
  if (!embeddings.sealed || !release.sealed) return { shards: [], complete: false };
  if (embeddings.shards.length === 0) return { shards: [], complete: true };
  const parts = releaseParts(release);
  if (parts.length === 0)
    throw new UsageError(
      'index needs the release whose rows it is to hold, and there is none (SET/part-NNNNN-….parquet). Run release first, or name its folder with --release.',
    );
  const work = { parts: embeddingParts(embeddings), models: embeddingModels(embeddings), release: parts };
  return { shards: [{ name: SHARD, work, inputs: [wholeInput('embeddings', embeddings), wholeInput('release', release)] }], complete: true };
}

interface BuildInput {
  database: WorkDatabase;
  embeddings: Dataset;
  parts: readonly EmbeddingPart[];
  heads: readonly string[];
  /** Of the release. */
  rows: number;
  options: IndexOptions;
}

/** Writes the index into a folder. Paths in what it returns are relative to that. */
async function buildIndex(
  folder: string,
  { database, embeddings, parts, heads, rows, options }: BuildInput,
  effects: Effects<'index'>,
): Promise<{ dimensions: number; rows: number; vectors: IndexDescription['vectors'] }> {
  // Loaded here: every worker thread has this file, few need LanceDB.
  const knn = await import('../../knn/write-index.ts');
  const indexed = new BitSet(rows);
  let dimensions: number | undefined;
  let writer: IndexWriter | undefined;
  for (const files of parts) {
    effects.signal.throwIfAborted();
    const part = await fetchPart(embeddings, files, dimensions);
    ({ dimensions } = part);
    writer ??= await knn.IndexWriter.create(folder, { dimensions, heads, modalities: Object.keys(part.vectors) as Modality[] });
    for await (const row of indexRows(database, part, heads)) {
      // One hash, one sample: embeddings may hold it twice where pairs did; the release does not.
      if (indexed.has(row.id)) continue;
      indexed.add(row.id);
      await writer.add(row);
      effects.progress({ out: 1 });
    }
  }
  for await (const item of rowsWithout(database, indexed)) effects.drop('no-embedding', { ...item, value: null, threshold: null });
  return { dimensions: dimensions!, ...(await writer!.finish(options)) };
}

/** The same index as its description has it whose file lies in the folder above. */
function below(build: string, description: IndexDescription): IndexDescription {
  const vectors: IndexDescription['vectors'] = {};
  for (const [modality, described] of Object.entries(description.vectors)) vectors[modality as Modality] = { ...described, file: `${build}/${described.file}` };
  return { ...description, folder: build, vectors };
}

async function fetchAll(release: Dataset, parts: readonly string[]): Promise<{ part: string; path: string }[]> {
  const fetched: { part: string; path: string }[] = [];
  for (const part of parts) fetched.push({ part, path: await release.fetch(part) });
  return fetched;
}

/** Rows that the opened index really gives out. */
async function countRows(folder: string, description: IndexDescription): Promise<number> {
  const { openDescribedIndex } = await import('../../knn/open-index.ts');
  const opened = await openDescribedIndex(folder, description);
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

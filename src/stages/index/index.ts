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
import { findModel } from '../../models/find-model.ts';
import type { IndexRow } from '../../knn/index-schema.ts';
import type { IndexWriter } from '../../knn/write-index.ts';
import { nextBuild, removeOtherBuilds } from './build-folder.ts';
import { embeddingFiles, EmbeddingModel, embeddingModels, EmbeddingPart, embeddingParts, fetchParts, type LocalPart, oneModel } from './embedding-parts.ts';
import { hasFiniteVectors, ownRows, releasedRows, type RowColumns, rowsWithout } from './index-rows.ts';
import { furtherOf, headsOf } from './metadata-columns.ts';
import { type IndexOptions, indexOptions } from './options.ts';
import { loadReleased, releasedLanguages, releaseFiles, releaseFingerprint, releaseParts } from './released-rows.ts';

const SHARD = '00000';

/** What is joined: the parts of embeddings/ with the models that made them, and the files of the release where there is one. */
const IndexWork = z.object({ parts: z.array(EmbeddingPart), models: z.array(EmbeddingModel), release: z.array(z.string()).optional() });
type IndexWork = z.infer<typeof IndexWork>;

/**
 * The index that `serve` answers from: exactly the rows of the release that have an embedding, or, without a release, all rows of the
 * embeddings in their order. One shard, as yet. Each build lies in a folder of its own, and index.json, published last, names it: so a
 * running `serve` goes on and takes up the new one.
 */
export const index: Stage<'index', typeof indexOptions, IndexWork> = {
  name: 'index',
  does: 'Builds the nearest-neighbour index of exactly the rows of the release, or of embeddings alone, and measures its recall.',
  reads: [
    { dataset: 'embeddings', whole: true, unmarked: embeddingFiles },
    { dataset: 'release', whole: true, optional: true, unmarked: releaseFiles },
  ],
  writes: 'index',
  unit: 'pairs',
  format: 2,
  options: indexOptions,
  work: IndexWork,
  locates: { release: 'release' },
  swaps: true,

  plan: planIndex,

  async run({ work }, context, effects) {
    const { options } = context;
    const model = oneModel(work.models, options.model);
    const build = await nextBuild(context.own.storage, SHARD);
    const parts = await fetchParts(context.dataset('embeddings')!, work.parts, effects.signal);
    await assertDimensions(options.model, parts[0]!.dimensions);
    const columns = parts.flatMap((part) => part.columns ?? []);
    const database = await openWorkDatabase(join(context.scratch, 'duckdb'), { memoryMb: options.memory, threads: Math.min(4, availableParallelism()) });
    try {
      const folder = await effects.files.path(build);
      const release = work.release && context.dataset('release')!;
      const released = release && (await loadReleased(database, await fetchAll(release, work.release!)));
      const heads = released?.heads ?? headsOf(columns);
      const rows = released?.rows ?? parts.reduce((sum, part) => sum + part.rows, 0);
      effects.progress({ in: rows });
      const input = { database, parts, shape: { heads, further: furtherOf(columns, heads) }, options };
      const { languages, ...built } = released ? await indexReleased(folder, input, rows, effects) : await indexOwn(folder, input, effects);
      const description: IndexDescription = {
        tool: 'pairmill',
        version: packageVersion(),
        format: 1,
        model,
        dimensions: parts[0]!.dimensions,
        rows: built.rows,
        folder: '.',
        vectors: built.vectors,
        ...input.shape,
        languages,
        release: release ? { fingerprint: await releaseFingerprint(release) } : null,
      };
      const out = await countRows(folder, description);
      await writeFile(await effects.files.path('index.json'), `${JSON.stringify(below(build, description), null, 2)}\n`);
      return { in: rows, out, extra: { vectors: below(build, description).vectors }, warnings: model.id === '' ? [NO_MODEL] : [] };
    } finally {
      await database.close();
    }
  },

  seal: ({ own }) => removeOtherBuilds(own.storage),
};

/** Throws UsageError where the model that was named can't have made the vectors: what is indexed under it could not be served. */
async function assertDimensions(model: string | undefined, dimensions: number): Promise<void> {
  if (model === undefined) return;
  const entry = await findModel(model);
  if (entry.dimensions !== dimensions)
    throw new UsageError(
      `The model ${model} makes vectors of ${entry.dimensions} values, and those of the embeddings have ${dimensions}. Name the model that made them with --model, or leave --model out: the index can then be searched by its own samples and by embeddings.`,
    );
}

const NO_MODEL =
  'The embeddings do not say which model made them: the index can be searched by embeddings and by its own samples, not by texts or pictures. Name the model with --model, here or in serve.';

function planIndex({ datasets, options }: Pick<PlanContext<IndexOptions>, 'datasets' | 'options'>): Plan<IndexWork> {
  const embeddings = datasets['embeddings']!;
  const release = datasets['release'];
  if (!release && options.release !== undefined)
    throw new UsageError(
      `--release ${options.release} holds no release (SET/part-NNNNN-….parquet). Name its folder, or leave the flag out to index all embeddings.`,
    );
  if (!embeddings.sealed || release?.sealed === false) return { shards: [], complete: false };
  if (embeddings.shards.length === 0) return { shards: [], complete: true };
  const work = { parts: embeddingParts(embeddings), models: embeddingModels(embeddings) };
  const inputs = [wholeInput('embeddings', embeddings)];
  if (!release) return { shards: [{ name: SHARD, work, inputs }], complete: true };
  const parts = releaseParts(release);
  if (parts.length === 0)
    throw new UsageError(
      'The release, whose rows index is to hold, has no files (SET/part-NNNNN-….parquet). Run release again, or name another with --release.',
    );
  return { shards: [{ name: SHARD, work: { ...work, release: parts }, inputs: [...inputs, wholeInput('release', release)] }], complete: true };
}

interface BuildInput {
  database: WorkDatabase;
  parts: readonly LocalPart[];
  shape: RowColumns;
  options: IndexOptions;
}

/** What was built; paths are relative to its folder. */
interface Built extends Pick<IndexDescription, 'rows' | 'vectors' | 'languages'> {}

/** Writes the index of the rows of the release that have an embedding. */
async function indexReleased(folder: string, { database, parts, shape, options }: BuildInput, rows: number, effects: Effects<'index'>): Promise<Built> {
  const writer = await openWriter(folder, parts, shape);
  const indexed = new BitSet(rows);
  for (const part of parts) {
    effects.signal.throwIfAborted();
    for await (const row of releasedRows(database, part, shape)) {
      // One hash, one sample: embeddings may hold it twice where pairs did; the release does not.
      if (indexed.has(row.id)) continue;
      indexed.add(row.id);
      await addRow(row, writer, effects);
    }
  }
  for await (const item of rowsWithout(database, indexed)) effects.drop('no-embedding', { ...item, value: null, threshold: null });
  return { ...(await writer.finish(options)), languages: await releasedLanguages(database) };
}

/** Writes the index of all rows of the embeddings. */
async function indexOwn(folder: string, { database, parts, shape, options }: BuildInput, effects: Effects<'index'>): Promise<Built> {
  const writer = await openWriter(folder, parts, shape);
  const languages = new Map<string, number>();
  let rows = 0;
  for (const part of parts) {
    effects.signal.throwIfAborted();
    for await (const row of ownRows(database, part, shape, rows)) {
      if (await addRow(row, writer, effects)) languages.set(row.language, (languages.get(row.language) ?? 0) + 1);
    }
    rows += part.rows;
  }
  const found = [...languages].map(([language, count]) => ({ language, rows: count })).sort((a, b) => b.rows - a.rows || (a.language < b.language ? -1 : 1));
  return { ...(await writer.finish(options)), languages: parts.some(({ columns }) => columns?.known.language !== undefined) ? found : [] };
}

/** False where the row is dropped. */
async function addRow(row: IndexRow, writer: IndexWriter, effects: Effects<'index'>): Promise<boolean> {
  if (!hasFiniteVectors(row)) {
    const { hash, url, caption } = row;
    effects.drop('not-finite', { hash, url, text: caption, value: null, threshold: null });
    return false;
  }
  await writer.add(row);
  effects.progress({ out: 1 });
  return true;
}

async function openWriter(folder: string, [first]: readonly LocalPart[], columns: RowColumns): Promise<IndexWriter> {
  // Loaded here: every worker thread has this file, few need LanceDB.
  const knn = await import('../../knn/write-index.ts');
  return knn.IndexWriter.create(folder, { dimensions: first!.dimensions, modalities: Object.keys(first!.vectors) as Modality[], ...columns });
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

import { z } from 'zod';
import type { Dataset, DatasetState } from '../../contracts/dataset.ts';
import { ShardError, UsageError } from '../../contracts/errors.ts';
import { type IndexedSample, type Modality, modalities } from '../../contracts/index-description.ts';
import { sqlName, sqlParquet, type WorkDatabase } from '../../formats/duckdb.ts';
import { npyShape, readNpyBatches } from '../../formats/npy.ts';
import { parquetColumns } from '../../formats/parquet.ts';
import type { IndexRow } from '../../knn/index-schema.ts';
import { stableJson } from '../../runtime/stable-json.ts';

/** Files of the parts in clip-retrieval's layout; the group is the part's name. */
export const embeddingFiles = /^(?:img_emb\/img_emb|text_emb\/text_emb|metadata\/metadata)_(\d+)\.(?:npy|parquet)$/;

/** One part of embeddings/, its files relative to the dataset. */
export const EmbeddingPart = z.object({ metadata: z.string(), image: z.string().optional(), text: z.string().optional() });
export type EmbeddingPart = z.infer<typeof EmbeddingPart>;

const folders: Record<Modality, string> = { image: 'img_emb/', text: 'text_emb/' };

/** The parts of embeddings/. Throws UsageError where one lacks a file. */
export function embeddingParts({ shards }: DatasetState): EmbeddingPart[] {
  const found = modalities.filter((modality) => shards.some(({ files }) => files.some((file) => file.startsWith(folders[modality]))));
  if (found.length === 0) throw new UsageError('The embeddings hold neither img_emb/ nor text_emb/. Run embed first, or name its output with --input.');
  return shards.map(({ name, files }) => {
    const file = (folder: string): string => {
      const path = files.find((each) => each.startsWith(folder));
      if (path === undefined) throw new UsageError(`Part ${name} of the embeddings has no file in ${folder}: it is not complete. Run embed again.`);
      return path;
    };
    return { metadata: file('metadata/'), ...Object.fromEntries(found.map((modality) => [modality, file(folders[modality])])) };
  });
}

/** A model by which embeddings were made. */
export const EmbeddingModel = z.object({ id: z.string(), sha256: z.record(z.string(), z.string()) });
export type EmbeddingModel = z.infer<typeof EmbeddingModel>;

/** The distinct models that the markers name. */
export function embeddingModels({ shards }: DatasetState): EmbeddingModel[] {
  const models = new Map<string, EmbeddingModel>();
  for (const { madeBy } of shards) {
    if (!madeBy) continue;
    const model = { id: String(madeBy.options['model'] ?? ''), sha256: { ...madeBy.models } };
    models.set(stableJson(model), model);
  }
  return [...models.values()];
}

/** Which model made the embeddings. Throws where it is unknown or they are of several. */
export function oneModel(models: readonly EmbeddingModel[], given: string | undefined): EmbeddingModel {
  if (models.length > 1)
    throw new ShardError(
      `The embeddings are of several models (${models.map(({ id }) => id).join(', ')}): an index can't compare them. Make them again with one.`,
    );
  const [{ id, sha256 } = { id: '', sha256: {} }] = models;
  const name = given ?? id;
  if (!name) throw new UsageError('The embeddings do not say which model made them. Name it with --model.');
  return { id: name, sha256 };
}

/** A part with local paths. */
export interface LocalPart {
  metadata: string;
  vectors: Partial<Record<Modality, string>>;
}

/** Fetches a part and checks it against the others. */
export async function fetchPart(embeddings: Dataset, part: EmbeddingPart, dimensions: number | undefined): Promise<LocalPart & { dimensions: number }> {
  const metadata = await embeddings.fetch(part.metadata);
  const vectors: LocalPart['vectors'] = {};
  let expected = dimensions;
  for (const modality of modalities) {
    const file = part[modality];
    if (file === undefined) continue;
    const path = (vectors[modality] = await embeddings.fetch(file));
    const shape = await npyShape(path);
    expected ??= shape.dimensions;
    if (shape.dimensions !== expected)
      throw new ShardError(`${path} has vectors of ${shape.dimensions} values, other parts of ${expected}. Make the embeddings again with one model.`);
  }
  return { metadata, vectors, dimensions: expected! };
}

type Joined = Omit<IndexedSample, 'id' | 'tags'> & { row: bigint; id: bigint } & Record<string, unknown>;

/** The released rows of one part with their vectors, in the part's order. */
export async function* indexRows(database: WorkDatabase, part: LocalPart, heads: readonly string[]): AsyncGenerator<IndexRow> {
  const columns = new Set(await parquetColumns(part.metadata));
  if (!columns.has('hash'))
    throw new ShardError(`${part.metadata} has no column hash, by which it is joined with the release. Make the embeddings with embed.`);
  const key = columns.has('key') ? 'm."key"' : columns.has('image_path') ? 'm.image_path' : "''";
  const joined = database.stream<Joined>(
    `SELECT m.file_row_number AS row, ${key} AS "key", released.* FROM ${sqlParquet([part.metadata], { rowNumbers: true })} m JOIN released ON released.hash = m.hash ORDER BY row`,
  );
  const vectors = Object.entries(part.vectors).map(([modality, path]) => ({ modality: modality as Modality, reader: rowReader(path) }));
  try {
    for await (const { row, id, hash, url, caption, key: name, language, licence, NSFW, similarity, width, height, ...rest } of joined) {
      const own: IndexRow['vectors'] = {};
      for (const { modality, reader } of vectors) own[modality] = await reader.at(Number(row));
      const tags = Object.fromEntries(heads.map((head, i) => [head, rest[`head_${i}`] as number | null]));
      yield { id: Number(id), hash, url, caption, key: name, language, licence, NSFW, similarity, width, height, tags, vectors: own };
    }
  } finally {
    for (const { reader } of vectors) await reader.close();
  }
}

/** Reads rows of an array in rising order, a batch in memory at a time. */
function rowReader(path: string): { at(row: number): Promise<Float32Array>; close(): Promise<unknown> } {
  const batches = readNpyBatches(path);
  let batch: { start: number; rows: Float32Array[] } = { start: 0, rows: [] };
  return {
    async at(row) {
      while (row >= batch.start + batch.rows.length) {
        const next = await batches.next();
        if (next.done) throw new ShardError(`${path} has no row ${row}`);
        batch = next.value;
      }
      return batch.rows[row - batch.start]!;
    },
    close: () => batches.return(undefined),
  };
}

/** Released rows, by id, that were not among those indexed. */
export async function* rowsWithout(database: WorkDatabase, indexed: { has(id: number): boolean }): AsyncGenerator<{ hash: bigint; url: string; text: string }> {
  for await (const { id, hash, url, caption } of database.stream<Joined>(`SELECT id, hash, url, ${sqlName('caption')} FROM released ORDER BY id`)) {
    if (!indexed.has(Number(id))) yield { hash, url, text: caption };
  }
}

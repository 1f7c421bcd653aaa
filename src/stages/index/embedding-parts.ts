import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ShardError, UsageError } from '../../contracts/errors.ts';
import { type IndexedSample, type Modality, modalities } from '../../contracts/index-description.ts';
import { sqlName, sqlParquet, type WorkDatabase } from '../../formats/duckdb.ts';
import { npyShape, readNpyBatches } from '../../formats/npy.ts';
import { parquetColumns } from '../../formats/parquet.ts';
import type { IndexRow } from '../../knn/index-schema.ts';
import { publishedShards } from '../../runtime/completion.ts';
import type { PublishedShard } from '../../runtime/shard-inputs.ts';

/** One part of an embeddings folder. */
export interface EmbeddingPart {
  name: string;
  metadata: string;
  vectors: Partial<Record<Modality, string>>;
}

/** The complete parts of an embeddings folder and which vectors they have. */
export async function embeddingParts(
  folder: string,
  shards: readonly PublishedShard[],
): Promise<{ parts: EmbeddingPart[]; modalities: Modality[]; dimensions: number }> {
  const file = (kind: string, name: string, suffix: string): string => join(folder, kind, `${kind}_${name}${suffix}`);
  const kinds = { image: 'img_emb', text: 'text_emb' };
  const present = new Set(await readdir(folder));
  const found = modalities.filter((modality) => present.has(kinds[modality]));
  if (found.length === 0) throw new UsageError(`${folder} holds neither img_emb/ nor text_emb/. Run embed first, or name its output with --input.`);
  const parts = shards.map(({ name }) => ({
    name,
    metadata: file('metadata', name, '.parquet'),
    vectors: Object.fromEntries(found.map((modality) => [modality, file(kinds[modality], name, '.npy')])),
  }));
  const { dimensions } = await npyShape(parts[0]!.vectors[found[0]!]!);
  return { parts, modalities: found, dimensions };
}

/** Which model made the embeddings, by their markers. Throws where it is unknown or they are of several. */
export async function embeddingModel(folder: string, given: string | undefined): Promise<{ id: string; sha256: Record<string, string> }> {
  const markers = await publishedShards(folder);
  const models = new Map(markers.map(({ made_by }) => [String(made_by.options['model'] ?? ''), made_by.models]));
  if (models.size > 1)
    throw new ShardError(
      `The embeddings in ${folder} are of several models (${[...models.keys()].join(', ')}): an index can't compare them. Make them again with one.`,
    );
  const [[id, sha256] = ['', {}]] = models;
  const name = given ?? id;
  if (!name) throw new UsageError(`The embeddings in ${folder} do not say which model made them. Name it with --model.`);
  return { id: name, sha256 };
}

type Joined = Omit<IndexedSample, 'id' | 'tags'> & { row: bigint; id: bigint } & Record<string, unknown>;

/** The released rows of one part with their vectors, in the part's order. */
export async function* indexRows(database: WorkDatabase, part: EmbeddingPart, heads: readonly string[], dimensions: number): AsyncGenerator<IndexRow> {
  await assertPart(part, dimensions);
  const columns = new Set(await parquetColumns(part.metadata));
  if (!columns.has('hash'))
    throw new ShardError(`${part.metadata} has no column hash, by which it is joined with the release. Make the embeddings with embed.`);
  const key = columns.has('key') ? 'm."key"' : columns.has('image_path') ? 'm.image_path' : "''";
  const source = sqlParquet([part.metadata]).replace(/\)$/, ', file_row_number = true)');
  const joined = database.stream<Joined>(
    `SELECT m.file_row_number AS row, ${key} AS "key", released.* FROM ${source} m JOIN released ON released.hash = m.hash ORDER BY row`,
  );
  const vectors = Object.entries(part.vectors).map(([modality, path]) => ({ modality: modality as Modality, reader: rowReader(path) }));
  try {
    for await (const { row, id, hash, url, caption, key: name, language, licence, NSFW, similarity, width, height, ...rest } of joined) {
      const own: IndexRow['vectors'] = {};
      for (const { modality, reader } of vectors) own[modality] = await reader.at(Number(row));
      const tags = Object.fromEntries(heads.map((head) => [head, rest[head] as number | null]));
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

async function assertPart({ metadata, vectors }: EmbeddingPart, dimensions: number): Promise<void> {
  await access(metadata).catch(() => {
    throw new ShardError(`${metadata} is missing: the part is not complete. Run embed again.`);
  });
  for (const path of Object.values(vectors)) {
    const shape = await npyShape(path);
    if (shape.dimensions !== dimensions)
      throw new ShardError(`${path} has vectors of ${shape.dimensions} values, other parts of ${dimensions}. Make the embeddings again with one model.`);
  }
}

/** Released rows, by id, that were not among those indexed. */
export async function* rowsWithout(database: WorkDatabase, indexed: { has(id: number): boolean }): AsyncGenerator<{ hash: bigint; url: string; text: string }> {
  for await (const { id, hash, url, caption } of database.stream<Joined>(`SELECT id, hash, url, ${sqlName('caption')} FROM released ORDER BY id`)) {
    if (!indexed.has(Number(id))) yield { hash, url, text: caption };
  }
}

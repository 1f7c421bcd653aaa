import { z } from 'zod';
import type { FurtherColumn, FurtherValue, IndexedSample, Modality } from '../../contracts/index-description.ts';
import { ShardError } from '../../contracts/errors.ts';
import { sqlName, sqlParquet, type WorkDatabase } from '../../formats/duckdb.ts';
import { furtherValues } from '../../formats/further-columns.ts';
import { readNpyBatches } from '../../formats/npy.ts';
import { sampleHash } from '../../formats/sample-hash.ts';
import type { IndexRow } from '../../knn/index-schema.ts';
import type { LocalPart } from './embedding-parts.ts';
import type { KnownColumn, MetadataColumns } from './metadata-columns.ts';

/** Columns of an index that are not those of every index. */
export interface RowColumns {
  heads: readonly string[];
  further: readonly FurtherColumn[];
}

type Fields = Omit<IndexedSample, 'id' | 'tags' | 'further'>;
type Values = Record<string, unknown>;
type Joined = Fields & { row: bigint; id: bigint } & Values;

/** The released rows of one part with their vectors, in the part's order. */
export async function* releasedRows(database: WorkDatabase, part: LocalPart, { heads, further }: RowColumns): AsyncGenerator<IndexRow> {
  const { metadata, columns } = part;
  if (metadata === undefined || columns?.known.hash === undefined)
    throw new ShardError(
      `${metadata ?? 'The embeddings'} has no column hash, by which it is joined with the release. Make the embeddings with embed, or index them without the release, in another run folder.`,
    );
  const key = columns.known.key ?? columns.known.image_path;
  const joined = database.stream<Joined>(
    `SELECT m.file_row_number AS row, ${key === undefined ? "''" : `m.${sqlName(key)}`} AS "key", released.*${furtherSql(columns, further)} ` +
      `FROM ${sqlParquet([metadata], { rowNumbers: true })} m JOIN released ON released.hash = m.hash ORDER BY row`,
  );
  yield* withVectors(part, joined, ({ id, hash, url, caption, key: name, language, licence, NSFW, similarity, width, height, ...rest }) => {
    const tags = Object.fromEntries(heads.map((head, i) => [head, rest[`head_${i}`] as number | null]));
    return { id: Number(id), hash, url, caption, key: name, language, licence, NSFW, similarity, width, height, tags, further: furtherOfRow(rest, further) };
  });
}

/** All rows of one part with their vectors, in its order; ids count on from `firstId`, as clip-retrieval counts them. */
export async function* ownRows(database: WorkDatabase, part: LocalPart, { heads, further }: RowColumns, firstId: number): AsyncGenerator<IndexRow> {
  const { metadata, columns, rows } = part;
  const read =
    metadata !== undefined && columns !== undefined ? database.stream<Values & { row: bigint }>(ownSql(metadata, columns, { heads, further })) : numbered(rows);
  yield* withVectors(part, read, (values): Omit<IndexRow, 'vectors'> => {
    const id = firstId + Number(values.row);
    const text = (name: KnownColumn): string => (values[name] ?? '') as string;
    const number = (name: KnownColumn): number | null => (Number.isFinite(values[name]) ? (values[name] as number) : null);
    const [url, caption, path] = [text('url'), text('caption'), text('image_path')];
    return {
      id,
      // Where nothing is known of it, its place is what tells it from others.
      hash: (values['hash'] as bigint | null | undefined) ?? sampleHash(url || path || (caption ? '' : String(id)), caption),
      url,
      caption,
      key: path || text('key'),
      language: text('language'),
      licence: (values['licence'] ?? null) as string | null,
      NSFW: (values['NSFW'] ?? null) as string | null,
      similarity: number('similarity'),
      width: number('width'),
      height: number('height'),
      tags: Object.fromEntries(heads.map((head, i) => [head, (values[`head_${i}`] ?? null) as number | null])),
      further: furtherOfRow(values, further),
    };
  });
}

const sqlTypes: Partial<Record<KnownColumn, string>> = { hash: 'BIGINT', similarity: 'DOUBLE', width: 'INTEGER', height: 'INTEGER' };

function ownSql(metadata: string, columns: MetadataColumns, { heads, further }: RowColumns): string {
  const known = Object.entries(columns.known).map(
    ([column, name]) => `, TRY_CAST(m.${sqlName(name)} AS ${sqlTypes[column as KnownColumn] ?? 'VARCHAR'}) AS "${column}"`,
  );
  const tags = heads.map((head, i) => `, CAST(${memberSql(columns, head)} AS FLOAT) AS head_${i}`);
  return `SELECT m.file_row_number AS row${known.join('')}${tags.join('')}${furtherSql(columns, further)} FROM ${sqlParquet([metadata], { rowNumbers: true })} m`;
}

function furtherSql(columns: MetadataColumns, further: readonly FurtherColumn[]): string {
  return further.map(({ name }, i) => `, ${memberSql(columns, name)} AS further_${i}`).join('');
}

function memberSql({ further }: MetadataColumns, name: string): string {
  const column = further.get(name);
  return column ? `m.${column.sqlName}` : 'NULL';
}

const asText = { value: z.string().nullable() };

function furtherOfRow(values: Values, further: readonly FurtherColumn[]): Record<string, FurtherValue> {
  return Object.fromEntries(
    further.map(({ name, type }, i) => {
      const value = values[`further_${i}`];
      return [name, (type === 'text' ? furtherValues({ value }, asText)['value'] : (value ?? null)) as FurtherValue];
    }),
  );
}

async function* numbered(rows: number): AsyncGenerator<Values & { row: bigint }> {
  for (let row = 0; row < rows; row++) yield { row: BigInt(row) };
}

/** Adds to each row its vectors; rows come in rising order. */
async function* withVectors<Row extends { row: bigint }>(
  part: LocalPart,
  rows: AsyncIterable<Row>,
  indexed: (row: Row) => Omit<IndexRow, 'vectors'>,
): AsyncGenerator<IndexRow> {
  const files = Object.entries(part.vectors).map(([modality, path]) => ({ modality: modality as Modality, reader: rowReader(path) }));
  try {
    for await (const row of rows) {
      const vectors: IndexRow['vectors'] = {};
      for (const { modality, reader } of files) vectors[modality] = await reader.at(Number(row.row));
      yield { ...indexed(row), vectors };
    }
  } finally {
    for (const { reader } of files) await reader.close();
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

/** Whether all numbers of a row's vectors are finite. No index can hold another. */
export function hasFiniteVectors({ vectors }: IndexRow): boolean {
  return Object.values(vectors).every((vector) => vector.every(Number.isFinite));
}

/** Released rows, by id, that were not among those indexed. */
export async function* rowsWithout(database: WorkDatabase, indexed: { has(id: number): boolean }): AsyncGenerator<{ hash: bigint; url: string; text: string }> {
  for await (const { id, hash, url, caption } of database.stream<Joined>(`SELECT id, hash, url, ${sqlName('caption')} FROM released ORDER BY id`)) {
    if (!indexed.has(Number(id))) yield { hash, url, text: caption };
  }
}

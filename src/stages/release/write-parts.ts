import { z } from 'zod';
import { Release, type SetName } from '../../contracts/records.ts';
import type { ShardFiles } from '../../contracts/shard-files.ts';
import { sqlName, type WorkDatabase } from '../../formats/duckdb.ts';
import { countParquetRows } from '../../formats/parquet.ts';
import { ParquetFileWriter } from '../../formats/parquet-writer.ts';
import { checksum } from '../../storage/checksum.ts';
import type { CarriedColumn } from './carried-columns.ts';

/** One file of a set, as the manifest lists it. */
export interface ReleasePart {
  path: string;
  rows: number;
  bytes: number;
  sha256: string;
}

/** What a set's files have beside LAION's columns and ours. */
export interface FurtherReleaseColumns {
  heads: readonly string[];
  carried: readonly CarriedColumn[];
}

/** The columns of a set's files: LAION's (no LANGUAGE in `en`) and ours, one for each head that has none yet, then those of --columns. */
export function releaseSchema(set: SetName, { heads, carried }: FurtherReleaseColumns): z.ZodObject {
  const scores = heads.filter((head) => !(head in Release.shape)).map((head): [string, z.ZodType] => [head, z.float32().nullable()]);
  const further = carried.map(({ name, type }): [string, z.ZodType] => [name, type]);
  const schema = Release.extend(Object.fromEntries([...scores, ...further])) as z.ZodObject;
  return set === 'en' ? schema.omit({ LANGUAGE: true }) : schema;
}

/** Expression over `joined` of each column; tags are named alike on both sides. */
function select(schema: z.ZodObject, { heads, carried }: FurtherReleaseColumns): string {
  const columns: Record<string, string> = {
    SAMPLE_ID: 'hash',
    URL: 'url',
    TEXT: 'caption',
    WIDTH: 'width',
    HEIGHT: 'height',
    LICENSE: 'licence',
    LANGUAGE: 'language',
    NSFW: sqlName('NSFW'),
    similarity: 'similarity::DOUBLE',
    hash: 'hash',
    page_url: 'page_url',
    ...Object.fromEntries(carried.map(({ name, sql }) => [name, sql])),
  };
  return Object.keys(schema.shape)
    .map((name) => `${columns[name] ?? (heads.includes(name) ? sqlName(name) : 'NULL')} AS ${sqlName(name)}`)
    .join(', ');
}

/**
 * Writes the files of one set in the order of the seeded shuffle, each closed before the next is begun. A set without rows has one
 * empty file, so that readers find its columns.
 */
export async function writeParts(
  database: WorkDatabase,
  files: ShardFiles,
  { set, uuid, rowsPerPart, ...further }: { set: SetName; uuid: string; rowsPerPart: number } & FurtherReleaseColumns,
  onRows: (rows: number) => void,
): Promise<ReleasePart[]> {
  const schema = releaseSchema(set, further);
  const parts: { path: string; local: string }[] = [];
  let writer: ParquetFileWriter<Record<string, unknown>> | undefined;
  const next = async (): Promise<ParquetFileWriter<Record<string, unknown>>> => {
    await writer?.close();
    const path = `${set}/part-${String(parts.length).padStart(5, '0')}-${uuid}-c000.snappy.parquet`;
    const local = await files.path(path);
    parts.push({ path, local });
    return ParquetFileWriter.open(local, schema, { codec: 'SNAPPY' });
  };
  try {
    writer = await next();
    const sql = `SELECT ${select(schema, further)} FROM joined WHERE copy = 1 AND set_name = '${set}' ORDER BY shuffle_key, hash`;
    for await (const row of database.stream<Record<string, unknown>>(sql)) {
      if (writer.rows >= rowsPerPart) writer = await next();
      await writer.write(row);
      onRows(1);
    }
  } catch (error) {
    await writer?.abort().catch(() => undefined);
    throw error;
  }
  await writer.close();
  return Promise.all(parts.map(async ({ path, local }) => ({ path, rows: await countParquetRows(local), ...(await checksum(local)) })));
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { Release, type SetName } from '../../contracts/records.ts';
import { sqlName, type WorkDatabase } from '../../formats/duckdb.ts';
import { countParquetRows, ParquetFileWriter } from '../../formats/parquet.ts';

/** One file of a set, as the manifest lists it. */
export interface ReleasePart {
  path: string;
  rows: number;
  bytes: number;
  sha256: string;
}

/** The columns of a set's files: LAION's (no LANGUAGE in `en`), then one for each head that has none yet. */
export function releaseSchema(set: SetName, heads: readonly string[]): z.ZodObject {
  const further = heads.filter((head) => !(head in Release.shape)).map((head) => [head, z.float32().nullable()]);
  const schema = Release.extend(Object.fromEntries(further) as Record<string, z.ZodType>) as z.ZodObject;
  return set === 'en' ? schema.omit({ LANGUAGE: true }) : schema;
}

/** Expression over `joined` of each column; tags are named alike on both sides. */
function select(schema: z.ZodObject, heads: readonly string[]): string {
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
  };
  return Object.keys(schema.shape)
    .map((name) => `${columns[name] ?? (heads.includes(name) ? sqlName(name) : 'NULL')} AS ${sqlName(name)}`)
    .join(', ');
}

/**
 * Writes the files of one set into `folder` (made here), in the order of the seeded shuffle. A set without rows has one
 * empty file, so that readers find its columns.
 */
export async function writeParts(
  database: WorkDatabase,
  folder: string,
  { set, heads, uuid, rowsPerPart }: { set: SetName; heads: readonly string[]; uuid: string; rowsPerPart: number },
  onRows: (rows: number) => void,
): Promise<ReleasePart[]> {
  await mkdir(folder, { recursive: true });
  const schema = releaseSchema(set, heads);
  const names: string[] = [];
  let writer: ParquetFileWriter<Record<string, unknown>> | undefined;
  const next = async (): Promise<ParquetFileWriter<Record<string, unknown>>> => {
    await writer?.close();
    names.push(`part-${String(names.length).padStart(5, '0')}-${uuid}-c000.snappy.parquet`);
    return ParquetFileWriter.open(join(folder, names.at(-1)!), schema, { codec: 'SNAPPY' });
  };
  try {
    writer = await next();
    const sql = `SELECT ${select(schema, heads)} FROM joined WHERE copy = 1 AND set_name = '${set}' ORDER BY place, hash`;
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
  return Promise.all(
    names.map(async (name) => ({ path: `${set}/${name}`, rows: await countParquetRows(join(folder, name)), ...(await checksum(join(folder, name))) })),
  );
}

async function checksum(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(createReadStream(path), async function (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
  });
  return { bytes, sha256: hash.digest('hex') };
}

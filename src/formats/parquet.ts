import { type FileMetaData, parquetReadObjects, type SchemaElement } from 'hyparquet';
import { decompressors, openParquetFile } from './parquet-file.ts';

/** What of a Parquet file is read, and how. */
export interface ReadSettings {
  /** Strings as the bytes of the file, not decoded. */
  bytes?: boolean;
  /** Rows from `start` (included) to `end` (excluded); all where none are given. Row groups outside are not read. */
  start?: number;
  end?: number;
}

/**
 * Reads rows in file order, a row group at a time, so memory is bounded by the row group. Column values are strings, numbers, booleans,
 * bigint (INT64) or null; `columns` limits what is read.
 */
export async function* readParquet<Row = Record<string, unknown>>(
  path: string,
  columns?: readonly (keyof Row & string)[],
  settings?: ReadSettings,
): AsyncGenerator<Row> {
  for await (const batch of readParquetBatches<Row>(path, columns, settings)) yield* batch;
}

/** Like `readParquet`, an array of rows per row group. */
export async function* readParquetBatches<Row = Record<string, unknown>>(
  path: string,
  columns?: readonly (keyof Row & string)[],
  { bytes = false, start = 0, end = Infinity }: ReadSettings = {},
): AsyncGenerator<Row[]> {
  const { buffer, metadata, close } = await openParquetFile(path);
  try {
    let groupEnd = 0;
    for (const group of metadata.row_groups) {
      const groupStart = groupEnd;
      groupEnd += Number(group.num_rows);
      const [rowStart, rowEnd] = [Math.max(start, groupStart), Math.min(end, groupEnd)];
      if (rowStart >= rowEnd) continue;
      const rows = await parquetReadObjects({
        file: buffer,
        metadata,
        compressors: decompressors,
        utf8: !bytes,
        rowStart,
        rowEnd,
        ...(columns && { columns: [...columns] }),
      });
      yield rows as Row[];
    }
  } finally {
    await close();
  }
}

/** Rows that the file's footer declares; where a column is named, those in which it has a value. */
export async function countParquetRows(path: string, column?: string): Promise<number> {
  const { num_rows, row_groups } = await parquetMetadata(path);
  if (column === undefined) return Number(num_rows);
  const chunks = row_groups.flatMap(({ columns }) => columns.filter((chunk) => chunk.meta_data?.path_in_schema[0] === column));
  return Number(num_rows) - chunks.reduce((sum, { meta_data }) => sum + Number(meta_data?.statistics?.null_count ?? 0), 0);
}

/** Names of the top-level columns, in order. */
export async function parquetColumns(path: string): Promise<string[]> {
  return (await parquetElements(path)).map(({ name }) => name);
}

/** The top-level columns in order; `plain` where the values are scalars without a logical type that changes them. */
export async function parquetElements(path: string): Promise<{ name: string; type: string; plain: boolean }[]> {
  const { schema } = await parquetMetadata(path);
  const elements: { name: string; type: string; plain: boolean }[] = [];
  for (let i = 1; i < schema.length; i++) {
    const { name, type = '', repetition_type, converted_type, logical_type } = schema[i]!;
    const nested = descendants(schema, i);
    const text = converted_type === 'UTF8' || logical_type?.type === 'STRING';
    const untouched = converted_type === undefined && logical_type === undefined;
    // Unsigned ones may be larger than the type that holds them.
    const whole = (logical_type?.type === 'INTEGER' && logical_type.isSigned) || /^INT_(8|16|32|64)$/.test(converted_type ?? '');
    elements.push({ name, type, plain: nested === 0 && repetition_type !== 'REPEATED' && (type === 'BYTE_ARRAY' ? text : untouched || whole) });
    i += nested;
  }
  return elements;
}

function descendants(schema: SchemaElement[], index: number): number {
  let count = 0;
  for (let child = 0; child < (schema[index]!.num_children ?? 0); child++) count += 1 + descendants(schema, index + count + 1);
  return count;
}

async function parquetMetadata(path: string): Promise<FileMetaData> {
  const { metadata, close } = await openParquetFile(path);
  await close();
  return metadata;
}

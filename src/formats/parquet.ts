import { writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { zstdCompressSync } from 'node:zlib';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects, type SchemaElement } from 'hyparquet';
import { type BasicType, ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { z } from 'zod';
import { decompressors, openParquetFile } from './parquet-file.ts';

/**
 * Parquet files of the records in `contracts/records`: columns, types and REQUIRED / OPTIONAL come from the zod
 * schema. Written by hyparquet-writer (zstd from Node's zlib), read by hyparquet; both keep int64 as bigint.
 */

/** Rows of a row group: bounded, so that readers can skip and writers stay small. */
const ROW_GROUP_ROWS = 10_000;

export interface ParquetOptions {
  codec?: 'ZSTD' | 'SNAPPY';
  /** Rows a row group. */
  rowGroupRows?: number;
  /** Written into the footer, sorted by key. */
  metadata?: Record<string, string>;
}

/** Writes rows of one schema to one file, a row group at a time. Not safe for concurrent calls. */
export class ParquetFileWriter<Row extends Record<string, unknown>> {
  readonly #file: FileHandle;
  readonly #bytes: ByteWriter;
  readonly #writer: ParquetWriter;
  readonly #columns: { name: string; values: unknown[]; type: BasicType }[];
  readonly #rowGroupRows: number;
  /** Rows written so far. */
  rows = 0;

  private constructor(schema: z.ZodObject, elements: SchemaElement[], file: FileHandle, options: ParquetOptions) {
    this.#file = file;
    this.#bytes = new ByteWriter();
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: elements,
      codec: options.codec ?? 'ZSTD',
      compressors: { ZSTD: (input) => zstdCompressSync(input) },
      createdBy: 'pairmill',
      kvMetadata: Object.entries(options.metadata ?? {})
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => ({ key, value })),
    });
    this.#columns = Object.entries(schema.shape).map(([name, type]) => ({ name, values: [], type: basicType(name, type as z.ZodType).type }));
    this.#rowGroupRows = options.rowGroupRows ?? ROW_GROUP_ROWS;
  }

  static async open<S extends z.ZodObject>(path: string, schema: S, options: ParquetOptions = {}): Promise<ParquetFileWriter<z.output<S>>> {
    // A schema that can't be written throws before there is a file.
    return new ParquetFileWriter<z.output<S>>(schema, schemaElements(schema), await open(path, 'w'), options);
  }

  /** Adds one row; undefined is written as null. */
  async write(row: Row): Promise<void> {
    for (const column of this.#columns) column.values.push(row[column.name] ?? null);
    this.rows++;
    if (this.#columns[0]!.values.length >= this.#rowGroupRows) await this.#flush();
  }

  /** Adds rows as columns, by name; for those who have millions. Cut into the same row groups as rows that are written one by one. */
  async writeColumns(rows: number, columns: Readonly<Record<keyof Row & string, ArrayLike<unknown>>>): Promise<void> {
    for (let start = 0; start < rows;) {
      const end = Math.min(rows, start + this.#rowGroupRows - this.#columns[0]!.values.length);
      for (const { name, values } of this.#columns) for (let i = start; i < end; i++) values.push(columns[name]![i]);
      this.rows += end - start;
      start = end;
      if (this.#columns[0]!.values.length >= this.#rowGroupRows) await this.#flush();
    }
  }

  /** Adds rows and closes their row group, without giving the thread to others: for callers that can't wait. */
  writeGroupSync(rows: readonly Row[]): void {
    for (const row of rows) for (const column of this.#columns) column.values.push(row[column.name] ?? null);
    this.rows += rows.length;
    this.#encode();
    const bytes = new Uint8Array(this.#bytes.buffer, 0, this.#bytes.index);
    // A nearly full disk gives short writes.
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file.fd, bytes, at);
    this.#bytes.index = 0;
  }

  async #flush(): Promise<void> {
    this.#encode();
    await this.#drain();
  }

  /** Encodes the rows at hand as a row group. Never waits: a ByteWriter has no `flush`. */
  #encode(): void {
    const rows = this.#columns[0]!.values.length;
    if (rows === 0) return;
    // type and nullable stay out: the writer's schema is fixed above.
    void this.#writer.write({ columnData: this.#columns.map(({ name, values }) => ({ name, data: values })), rowGroupSize: rows });
    for (const column of this.#columns) column.values = [];
  }

  /** Moves what the encoder has produced to the file. */
  async #drain(): Promise<void> {
    const bytes = new Uint8Array(this.#bytes.buffer, 0, this.#bytes.index);
    // appendFile goes on after a short write, which a nearly full disk gives.
    if (bytes.byteLength > 0) await this.#file.appendFile(bytes);
    this.#bytes.index = 0;
  }

  /** Writes the footer, makes the file durable and closes it. */
  async close(): Promise<void> {
    try {
      await this.#flush();
      await this.#writer.finish();
      await this.#drain();
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
  }

  /** Closes without a footer: the file is not to be used. */
  async abort(): Promise<void> {
    await this.#file.close();
  }
}

/** Writes all rows to a new file at `path`; returns how many. */
export async function writeParquet<S extends z.ZodObject>(
  path: string,
  schema: S,
  rows: Iterable<z.output<S>> | AsyncIterable<z.output<S>>,
  options: ParquetOptions = {},
): Promise<number> {
  const writer = await ParquetFileWriter.open(path, schema, options);
  try {
    for await (const row of rows) await writer.write(row);
  } catch (error) {
    await writer.abort();
    throw error;
  }
  await writer.close();
  return writer.rows;
}

/**
 * Reads rows in file order, a row group at a time, so memory is bounded by the row group.
 * Column values are strings, numbers, booleans, bigint (INT64) or null; `columns` limits what is read. Bytes are text unless `bytes` is asked for.
 */
export async function* readParquet<Row = Record<string, unknown>>(
  path: string,
  columns?: readonly (keyof Row & string)[],
  settings?: { bytes: boolean },
): AsyncGenerator<Row> {
  for await (const batch of readParquetBatches<Row>(path, columns, settings)) yield* batch;
}

/** Like `readParquet`, an array of rows per row group. */
export async function* readParquetBatches<Row = Record<string, unknown>>(
  path: string,
  columns?: readonly (keyof Row & string)[],
  { bytes } = { bytes: false },
): AsyncGenerator<Row[]> {
  const source = await openParquetFile(path);
  try {
    const metadata = await readMetadata(source.buffer, path);
    let start = 0;
    for (const group of metadata.row_groups) {
      const end = start + Number(group.num_rows);
      yield (await parquetReadObjects({
        file: source.buffer,
        metadata,
        compressors: decompressors,
        utf8: !bytes,
        rowStart: start,
        rowEnd: end,
        ...(columns ? { columns: [...columns] } : {}),
      })) as Row[];
      start = end;
    }
  } finally {
    await source.close();
  }
}

/** Rows `start` (included) to `end` (excluded) in file order, a row group at a time; groups outside are not read. */
export async function* readParquetRange<Row = Record<string, unknown>>(
  path: string,
  { start, end, columns }: { start: number; end: number; columns?: readonly (keyof Row & string)[] },
): AsyncGenerator<Row> {
  const source = await openParquetFile(path);
  try {
    const metadata = await readMetadata(source.buffer, path);
    let groupStart = 0;
    for (const group of metadata.row_groups) {
      const groupEnd = groupStart + Number(group.num_rows);
      const [rowStart, rowEnd] = [Math.max(start, groupStart), Math.min(end, groupEnd)];
      groupStart = groupEnd;
      if (rowStart >= rowEnd) continue;
      yield* (await parquetReadObjects({
        file: source.buffer,
        metadata,
        compressors: decompressors,
        rowStart,
        rowEnd,
        ...(columns ? { columns: [...columns] } : {}),
      })) as Row[];
    }
  } finally {
    await source.close();
  }
}

/** Rows that the file's footer declares; where a column is named, those in which it has a value. */
export async function countParquetRows(path: string, column?: string): Promise<number> {
  const source = await openParquetFile(path);
  try {
    const { num_rows, row_groups } = await readMetadata(source.buffer, path);
    if (column === undefined) return Number(num_rows);
    const chunks = row_groups.flatMap(({ columns }) => columns.filter((chunk) => chunk.meta_data?.path_in_schema[0] === column));
    return Number(num_rows) - chunks.reduce((sum, { meta_data }) => sum + Number(meta_data?.statistics?.null_count ?? 0), 0);
  } finally {
    await source.close();
  }
}

/** Names of the top-level columns, in order. */
export async function parquetColumns(path: string): Promise<string[]> {
  const source = await openParquetFile(path);
  try {
    const { schema } = await readMetadata(source.buffer, path);
    const names: string[] = [];
    for (let i = 1; i < schema.length; i++) {
      names.push(schema[i]!.name);
      i += descendants(schema, i);
    }
    return names;
  } finally {
    await source.close();
  }
}

/** The top-level columns in order; `plain` where the values are scalars without a logical type that changes them. */
export async function parquetElements(path: string): Promise<{ name: string; type: string; plain: boolean }[]> {
  const source = await openParquetFile(path);
  try {
    const { schema } = await readMetadata(source.buffer, path);
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
  } finally {
    await source.close();
  }
}

function descendants(schema: SchemaElement[], index: number): number {
  let count = 0;
  for (let child = 0; child < (schema[index]!.num_children ?? 0); child++) count += 1 + descendants(schema, index + count + 1);
  return count;
}

async function readMetadata(buffer: AsyncBuffer, path: string): Promise<FileMetaData> {
  try {
    return await parquetMetadataAsync(buffer);
  } catch (error) {
    throw new Error(`${path} is not a readable Parquet file: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function schemaElements(schema: z.ZodObject): SchemaElement[] {
  const entries = Object.entries(schema.shape);
  return [
    { name: 'root', num_children: entries.length },
    ...entries.map(([name, type]): SchemaElement => {
      const { type: basic, nullable } = basicType(name, type as z.ZodType);
      const repetition_type = nullable ? 'OPTIONAL' : 'REQUIRED';
      if (basic === 'STRING') return { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' }, repetition_type };
      return { name, type: basic as 'INT32', repetition_type };
    }),
  ];
}

/** The Parquet type of a zod type; see the table at the top of `contracts/records`. */
function basicType(column: string, type: z.ZodType): { type: BasicType; nullable: boolean } {
  const def = (type as z.ZodType & { def: { type: string; format?: string; innerType?: z.ZodType } }).def;
  if (def.type === 'nullable') return { ...basicType(column, def.innerType!), nullable: true };
  if (def.type === 'custom') return { type: 'BYTE_ARRAY', nullable: false };
  if (def.type === 'string' || def.type === 'enum') return { type: 'STRING', nullable: false };
  if (def.type === 'bigint') return { type: 'INT64', nullable: false };
  if (def.type === 'boolean') return { type: 'BOOLEAN', nullable: false };
  if (def.type === 'number') return { type: def.format === 'int32' ? 'INT32' : def.format === 'float32' ? 'FLOAT' : 'DOUBLE', nullable: false };
  throw new Error(`column ${column}: no Parquet type for zod type ${def.type}`);
}

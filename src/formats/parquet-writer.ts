import { writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { zstdCompressSync } from 'node:zlib';
import type { SchemaElement } from 'hyparquet';
import { type BasicType, ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { z } from 'zod';

/**
 * Writes Parquet files of the records in `contracts/records`: columns, types and REQUIRED / OPTIONAL come from the zod
 * schema. By hyparquet-writer (zstd from Node's zlib), which takes int64 as bigint.
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

import type { z } from 'zod';

/**
 * The files of one shard. Names are relative to the dataset. A writer writes under a temporary name; when the stage's `run` has
 * returned, the runtime closes all of them, counts by reading again, hashes and moves them into place in the order in which
 * they were opened. When `run` throws, all are closed and removed.
 */
export interface ShardFiles {
  /** A Parquet file of one schema. */
  parquet<S extends z.ZodObject>(name: string, schema: S, options?: ParquetSettings): Promise<RowWriter<z.output<S>>>;
  /** A webdataset tar. */
  samples(name: string): Promise<SampleFileWriter>;
  /** A folder with a file for each member of a sample. */
  folder(name: string): Promise<SampleFileWriter>;
  /** A .npy array of rows. */
  npy(name: string, dimensions: number, type: '<f2' | '<f4'): Promise<VectorWriter>;
  /** A local path at which a library (or the stage itself) makes a file or a folder; it must be closed when `run` returns. */
  path(name: string): Promise<string>;
}

export interface ParquetSettings {
  codec?: 'ZSTD' | 'SNAPPY';
  /** Rows a row group. */
  rowGroupRows?: number;
  /** Written into the footer, sorted by key. */
  metadata?: Record<string, string>;
  /** Only rows with a value in this column are counted as items. */
  items?: string;
}

export interface ShardWriter {
  readonly name: string;
  /** Items written so far. */
  readonly written: number;
}

export interface RowWriter<Row> extends ShardWriter {
  write(row: Row): Promise<void>;
  /** Many rows at once, by column. */
  writeColumns(rows: number, columns: Readonly<Record<keyof Row & string, ArrayLike<unknown>>>): Promise<void>;
}

export interface SampleFileWriter extends ShardWriter {
  /** The key has no dot. Members are written in the order given. */
  write(key: string, members: readonly (readonly [suffix: string, bytes: Uint8Array])[]): Promise<void>;
}

export interface VectorWriter extends ShardWriter {
  write(row: Float32Array): Promise<void>;
}

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';

/** A DuckDB of its own for one piece of relational work, on disk where it does not fit into `memoryMb`. */
export interface WorkDatabase {
  run(sql: string): Promise<void>;
  /** All rows of a small result. INT64 is bigint. */
  all<Row>(sql: string): Promise<Row[]>;
  /** Rows of a large result, a chunk of about 2,000 in memory at a time. INT64 is bigint. */
  stream<Row>(sql: string): AsyncGenerator<Row>;
  /** Closes it and removes its folder. */
  close(): Promise<void>;
}

/** Opens an empty database in `folder`, which is emptied first: what a killed run left there is of no use. */
export async function openWorkDatabase(folder: string, { memoryMb, threads }: { memoryMb: number; threads: number }): Promise<WorkDatabase> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // Loaded here: every worker thread has this file, few need the library.
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(join(folder, 'work.duckdb'), {
    memory_limit: `${memoryMb}MB`,
    threads: String(threads),
    temp_directory: join(folder, 'spill'),
    // Parquet and JSON are built in; nothing is to be fetched from the internet.
    autoinstall_known_extensions: 'false',
  });
  const connection: DuckDBConnection = await instance.connect();
  return {
    async run(sql) {
      await connection.run(sql);
    },
    async all<Row>(sql: string) {
      return (await (await connection.run(sql)).getRowObjectsJS()) as Row[];
    },
    async *stream<Row>(sql: string) {
      for await (const rows of (await connection.stream(sql)).yieldRowObjectJs()) yield* rows as Row[];
    },
    async close() {
      connection.closeSync();
      instance.closeSync();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A string as an SQL literal. */
export function sqlText(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** A name as an SQL identifier. */
export function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `read_parquet` over files with the same columns, in their order; with the columns `file_row_number` and `filename` where they are asked for. */
export function sqlParquet(paths: readonly string[], { rowNumbers = false, names = false }: { rowNumbers?: boolean; names?: boolean } = {}): string {
  return `read_parquet([${paths.map(sqlText).join(', ')}], file_row_number = ${rowNumbers}, filename = ${names})`;
}

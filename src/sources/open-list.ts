import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, ShardError } from '../contracts/errors.ts';
import { openWorkDatabase, sqlText, type WorkDatabase } from '../formats/duckdb.ts';
import { encodingAdvice, LIST_HEAD_BYTES, type ListFormat, listFormatOf } from '../formats/list-format.ts';
import { localCopy } from './local-copy.ts';
import type { S3Objects } from '../storage/s3-objects.ts';

/** A column of a list: its name there and DuckDB's type. */
export interface ListedColumn {
  readonly name: string;
  readonly type: string;
}

/** An opened list. */
export interface OpenedList {
  readonly format: ListFormat;
  readonly columns: readonly ListedColumn[];
  /**
   * All rows in the order of the file. The values of a table of text that are in the columns `asText` stay as they are written; those of
   * others become numbers where all of a column are. Throws ShardError where the file can't be read to its end.
   */
  rows(asText: readonly string[]): AsyncGenerator<Record<string, unknown>>;
  /** Lines that are no row, once all rows were read: the first of them, and how many. */
  broken(): Promise<{ line: number; text: string; why: string }[]>;
  close(): Promise<void>;
}

/** A table of text with NUL for a delimiter, which no line has: each line is one value. */
const ONE_COLUMN = String.raw`columns = {'url': 'VARCHAR'}, delim = E'\x01', quote = '', escape = '', header = false, auto_detect = false`;
/** One record may be so large: a line of JSON with a whole page in it. */
const MAX_OBJECT_BYTES = 64 * 1_048_576;

/**
 * Opens a list in any format that DuckDB reads. A remote one is copied into `scratch` first. `item` names it in messages. Throws
 * ShardError where it is no list.
 */
export async function openList(
  path: string,
  item: string,
  { scratch, memoryMb, signal, s3 }: { scratch: string; memoryMb: number; signal: AbortSignal; s3: S3Objects },
): Promise<OpenedList> {
  const local = await localCopy(path, join(scratch, 'list'), signal, s3);
  const head = await headOf(local);
  if (head.length === 0) throw new ShardError(`${item} is empty: 0 bytes. Get it again, or leave it out.`);
  const format = listFormatOf(head);
  if (!format)
    throw new ShardError(
      `${item} is no list of links: it is ${encodingAdvice(head) ?? 'neither Parquet nor a csv, tsv, txt, json or jsonl file. Name such a file with --input.'}`,
    );
  // One thread: rows come in the order of the file.
  const database = await openWorkDatabase(join(scratch, 'work'), { memoryMb, threads: 1 });
  const unreadable = (error: unknown): ShardError =>
    new ShardError(`${item} can't be read as ${format.type}: ${messageOf(error).split('\n')[0]!.replace(/\.$/, '')}. Check the file.`, { cause: error });
  try {
    const relation = relationOf(local, format);
    const described = await database.all<{ column_name: string; column_type: string }>(`DESCRIBE SELECT * FROM ${relation}`).catch((error: unknown) => {
      throw unreadable(error);
    });
    return {
      format,
      columns: described.map(({ column_name: name, column_type: type }) => ({ name, type })),
      async *rows(asText) {
        try {
          yield* database.stream<Record<string, unknown>>(`SELECT * FROM ${relationOf(local, format, asText)}`);
        } catch (error) {
          throw unreadable(error);
        }
      },
      broken: () => brokenLines(database, format),
      close: () => database.close(),
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

function relationOf(path: string, { type, compression }: ListFormat, asText: readonly string[] = []): string {
  const file = sqlText(path);
  // The two readers name it differently.
  const packed = `compression = '${compression === 'none' && type.startsWith('json') ? 'uncompressed' : compression}'`;
  switch (type) {
    case 'parquet':
      return `read_parquet(${file})`;
    case 'txt':
      return `read_csv(${file}, ${ONE_COLUMN}, ${packed})`;
    case 'csv': {
      const types = asText.length > 0 ? `, types = {${asText.map((name) => `${sqlText(name)}: 'VARCHAR'`).join(', ')}}` : '';
      // Neither truth values nor times: `no` and `1/2` are words of a person more often than not.
      return `read_csv(${file}, ${packed}, sample_size = 100000, store_rejects = true, auto_type_candidates = ['BIGINT', 'DOUBLE', 'VARCHAR']${types})`;
    }
    case 'json':
    case 'jsonl':
      return `read_json(${file}, format = 'auto', ${packed}, sample_size = 100000, maximum_object_size = ${MAX_OBJECT_BYTES}${type === 'jsonl' ? ', ignore_errors = true' : ''})`;
  }
}

async function brokenLines(database: WorkDatabase, { type }: ListFormat): Promise<{ line: number; text: string; why: string }[]> {
  if (type !== 'csv') return [];
  const rejected = await database.all<{ line: bigint; text: string | null; why: string }>(
    'SELECT line, any_value(csv_line) AS text, any_value(error_message) AS why FROM reject_errors GROUP BY line ORDER BY line',
  );
  return rejected.map(({ line, text, why }) => ({ line: Number(line), text: text ?? '', why: why.split('\n')[0]! }));
}

async function headOf(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LIST_HEAD_BYTES), 0, LIST_HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

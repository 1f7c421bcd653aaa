import { parquetRead } from 'hyparquet';
import { decompressors, openParquetFile } from './parquet-file.ts';

/** A row group by columns: for those who handle millions of rows, to whom an object a row costs more than its bytes. */
export interface ColumnGroup {
  readonly rows: number;
  /** Values by column. Strings are bytes where asked for; null and undefined are null. */
  readonly columns: ReadonlyMap<string, ArrayLike<unknown>>;
}

/**
 * The row groups of a Parquet file, in order. `bytes`: strings come as the utf-8 bytes of the file, not decoded (a
 * column's repeated values share them); not for columns of lists or structs. Throws where the file is no Parquet.
 */
export async function* readColumnGroups(path: string, columns: readonly string[], strings: 'bytes' | 'text'): AsyncGenerator<ColumnGroup> {
  const { buffer, metadata, close } = await openParquetFile(path);
  try {
    let start = 0;
    for (const group of metadata.row_groups) {
      const rows = Number(group.num_rows);
      const chunks = new Map<string, ArrayLike<unknown>[]>(columns.map((name) => [name, []]));
      await parquetRead({
        file: buffer,
        metadata,
        compressors: decompressors,
        columns: [...columns],
        rowStart: start,
        rowEnd: start + rows,
        ...(strings === 'bytes' && { parsers: { stringFromBytes: (bytes: Uint8Array) => bytes } }),
        onChunk: ({ columnName, columnData }) => void chunks.get(columnName)!.push(columnData as ArrayLike<unknown>),
      });
      yield { rows, columns: new Map([...chunks].map(([name, parts]) => [name, joined(parts)])) };
      start += rows;
    }
  } finally {
    await close();
  }
}

/** Pages of one column, one after another. */
function joined(parts: readonly ArrayLike<unknown>[]): ArrayLike<unknown> {
  return parts.length === 1 ? parts[0]! : parts.flatMap((part) => Array.from(part));
}

import { CopyBuffer } from './copy-buffer.ts';
import { copyInto } from './copy-into.ts';
import type { LinkFileReader } from './link-file.ts';
import { linkColumns, LinkRows } from './link-rows.ts';
import type { LosableConnection } from './losable-connection.ts';
import { addRestColumns } from './rest-columns.ts';

export interface CopiedRows {
  readonly rows: number;
  /** Values that were left out because they are absurdly long, by column. */
  readonly tooLong: ReadonlyMap<string, number>;
}

/**
 * COPYs rows of link files into `table`, in the transaction of the connection. `skip` are positions over all the files, from 0.
 * `clean`: what is no utf-8 is replaced (PostgreSQL refuses it, with code 22021).
 */
export async function copyRows(
  connection: LosableConnection,
  table: string,
  readers: readonly LinkFileReader[],
  { skip, clean, read }: { skip?: ReadonlySet<number>; clean: boolean; read?: ((rows: number) => void) | undefined },
): Promise<CopiedRows> {
  const { sql } = connection;
  const tooLong = new Map<string, number>();
  const brought = new Map(readers.flatMap(({ further }) => further.map((column) => [column.name, column])));
  // Two files of a shard may disagree on a type; then it is one that holds both.
  const columns = await addRestColumns(sql, [...brought.values()]);
  for (const reader of readers) await addRestColumns(sql, reader.further);
  let rows = 0;
  async function* chunks(): AsyncGenerator<Buffer> {
    const buffer = new CopyBuffer();
    let position = 0;
    for (const reader of readers) {
      const layout = columns.map(({ name }) => {
        const column = reader.further.findIndex((each) => each.name === name);
        return column === -1 ? undefined : { column, type: reader.further[column]!.type };
      });
      const target = new LinkRows(buffer, reader.file.language, reader.further.length > 0 ? layout : [], tooLong);
      for await (const group of reader.groups(clean)) {
        const base = position;
        const wanted = (row: number): boolean => skip === undefined || !skip.has(base + row);
        for (let row = 0; row < group.rows;) {
          row = target.add(group, row, wanted);
          if (buffer.full) yield* buffer.take();
        }
        position += group.rows;
        read?.(group.rows);
      }
    }
    rows = position;
    yield* buffer.take();
  }
  await copyInto(connection, `${table} (${linkColumns.join(', ')})`, chunks());
  return { rows: rows - (skip?.size ?? 0), tooLong };
}

/** What became of the rows whose hashes were copied. */
export interface CopiedHashes {
  /** All rows of the files, those without a hash in the table included. */
  readonly rows: number;
  /** Positions of the rows that were left out: their URL is too long. */
  readonly leftOut: readonly number[];
  /** Texts that are cut. */
  readonly cut: number;
}

/** COPYs hash and number of the shard of all rows into pairmill.hashes. */
export function copyHashes(connection: LosableConnection, readers: readonly LinkFileReader[], shard: number): Promise<CopiedHashes> {
  // In their order, so that neighbours go to the same page of the index.
  return copyEachHash(connection, 'pairmill.hashes (shard, hash)', readers, (hash, buffer) => {
    buffer.row(2, Number(hash >> 32n));
    buffer.int32(shard);
  });
}

/** COPYs position and hash of all rows into `table`. */
export function copyPositions(connection: LosableConnection, table: string, readers: readonly LinkFileReader[]): Promise<CopiedHashes> {
  return copyEachHash(connection, `${table} (position, hash)`, readers, (_hash, buffer, position) => {
    buffer.row(2, 0);
    buffer.int32(position);
  });
}

async function copyEachHash(
  connection: LosableConnection,
  target: string,
  readers: readonly LinkFileReader[],
  begin: (hash: bigint, buffer: CopyBuffer, position: number) => void,
): Promise<CopiedHashes> {
  let [rows, cut] = [0, 0];
  const leftOut: number[] = [];
  async function* chunks(): AsyncGenerator<Buffer> {
    const buffer = new CopyBuffer();
    for (const reader of readers) {
      for await (const group of reader.hashes()) {
        cut += group.cut;
        for (let i = 0; i < group.hash.length; i++) {
          const position = rows++;
          if (group.urlTooLong.size > 0 && group.urlTooLong.has(i)) {
            leftOut.push(position);
            continue;
          }
          if (buffer.full) yield* buffer.take();
          begin(group.hash[i]!, buffer, position);
          buffer.int64(group.hash[i]!);
        }
      }
    }
    yield* buffer.take();
  }
  await copyInto(connection, target, chunks());
  return { rows, leftOut, cut };
}

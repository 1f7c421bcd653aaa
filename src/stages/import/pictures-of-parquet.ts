import { basename } from 'node:path';
import { messageOf, ShardError } from '../../contracts/errors.ts';
import { parquetElements, readParquet } from '../../formats/parquet.ts';
import { pictureBytes, pictureColumnOf, pictureColumns } from '../../formats/picture-column.ts';
import { captionOf, type OwnPicture, urlOf } from './own-picture.ts';

/**
 * The pictures of a Parquet file that holds them in a column, in its order: img2dataset's and our format `parquet`, where failed rows are
 * passed over, and the hub's datasets (`image.bytes`). Rows are read twice, without the pictures and then for them, a row group at a time.
 * The pictures are to be read in the order given, before `close`.
 */
export async function picturesOfParquet(path: string, item: string, captionCol?: string): Promise<{ pictures: OwnPicture[]; close(): Promise<unknown> }> {
  const elements = await parquetElements(path).catch((error: unknown) => {
    throw new ShardError(`${item} is no whole Parquet file: ${messageOf(error)}. Get it again.`, { cause: error });
  });
  const column = pictureColumnOf(elements);
  if (column === undefined)
    throw new ShardError(`${item} has no column of pictures (${pictureColumns.join(', ')}), only ${elements.map(({ name }) => name).join(', ')}.`);
  const rows = readParquet(path, [column], { bytes: true });
  const read = inOrder(rows, column, item);
  const pictures: OwnPicture[] = [];
  let index = 0;
  for await (const row of readParquet(
    path,
    elements.map(({ name }) => name).filter((name) => name !== column),
  )) {
    const at = index++;
    if ((row['status'] ?? 'success') !== 'success') continue;
    pictures.push({
      url: urlOf(row) ?? `${basename(item)}/${at}`,
      caption: captionOf({ known: row, txt: typeof row['txt'] === 'string' ? row['txt'] : undefined }, captionCol),
      known: row,
      read: () => read(at),
    });
  }
  return { pictures, close: () => rows.return(undefined) };
}

/** Reads values of a column by their row: rows only ever go up. */
function inOrder(rows: AsyncGenerator<Record<string, unknown>>, column: string, item: string): (row: number) => Promise<Uint8Array> {
  let next = 0;
  let before: Promise<unknown> = Promise.resolve();
  const advance = async (row: number): Promise<Uint8Array> => {
    for (;;) {
      const result: IteratorResult<Record<string, unknown>, unknown> = await rows.next();
      if (result.done) throw new ShardError(`${item} ended before row ${row}: it was cut while it was read. Start the same command again.`);
      if (next++ === row) return pictureBytes(result.value[column]);
    }
  };
  return (row) => {
    const found = before.then(() => advance(row));
    before = found.catch(() => undefined);
    return found;
  };
}

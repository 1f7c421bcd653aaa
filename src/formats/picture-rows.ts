import { basename } from 'node:path';
import { ShardError } from '../contracts/errors.ts';
import { sampleKey } from '../contracts/sample-key.ts';
import { countParquetRows, parquetElements, readParquet } from './parquet.ts';
import { pictureBytes, pictureColumnOf, pictureColumns } from './picture-column.ts';
import { sampleRow, type ShardSample } from './sample-shard.ts';

/**
 * The samples of a Parquet file that holds their pictures in a column, in its order, a row group at a time: img2dataset's and our format
 * `parquet`, where failed rows are passed over, and the hub's datasets (`image.bytes`). A row without a key gets that of its place in the
 * shard. Throws ShardError where no column holds pictures.
 */
export async function* readPictureRows(path: string, shard: string): AsyncGenerator<ShardSample> {
  const elements = await parquetElements(path);
  const column = pictureColumnOf(elements);
  if (column === undefined)
    throw new ShardError(`${basename(path)} has no column of pictures (${pictureColumns.join(', ')}), only ${elements.map(({ name }) => name).join(', ')}.`);
  const rows = await countParquetRows(path);
  let index = 0;
  for await (const { [column]: value, ...raw } of readParquet(path, undefined, { bytes: true })) {
    const key = typeof raw['key'] === 'string' ? raw['key'] : sampleKey(shard, index, rows);
    index++;
    if ((raw['status'] ?? 'success') !== 'success') continue;
    const picture = pictureBytes(value);
    const pictureSuffix = column === 'image' ? 'jpg' : column;
    yield { key, row: sampleRow(key, raw, new Map()), raw, pictureSuffix, picture, members: new Map([[pictureSuffix, picture]]) };
  }
}

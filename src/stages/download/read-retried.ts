import { z } from 'zod';
import type { DatasetState } from '../../contracts/dataset.ts';
import { type Dropped, totalDropped } from '../../contracts/drop-reason.ts';
import { ShardError } from '../../contracts/errors.ts';
import { BatchLink, type Sample } from '../../contracts/records.ts';
import { type FurtherColumns, furtherColumns, furtherValues, mergedColumns } from '../../formats/further-columns.ts';
import { readParquet } from '../../formats/parquet.ts';
import type { RetryWork } from './download-work.ts';
import type { DownloadOptions } from './options.ts';
import { askedOf, type DownloadLink, type Links } from './read-links.ts';
import { sampleSchema } from './sample-schema.ts';
import { reasonsOfStatus } from './sample-status.ts';

/** Links that finished shards have dropped, and how many of each under which reason. */
export interface RetriedLinks extends Links {
  readonly retried: Record<string, Dropped>;
}

/**
 * The links that `work` is to try again, from the rows of the shards that dropped them, in their order. `fetch` gives the local path of
 * a file of samples/. Throws ShardError where a shard does not hold what its marker says.
 */
export async function readRetried(
  work: RetryWork,
  { shards }: DatasetState,
  fetch: (file: string) => Promise<string>,
  options: DownloadOptions,
): Promise<RetriedLinks> {
  const retried: Record<string, Dropped> = {};
  const rows: { row: Sample & Record<string, unknown>; asked: ReturnType<typeof askedOf> }[] = [];
  const ofShards: FurtherColumns[] = [];
  // With --output-format parquet the picture is a column too.
  const own = options.outputFormat === 'parquet' ? sampleSchema(options).extend({ [options.encodeFormat]: z.unknown() }) : sampleSchema(options);
  for (const { shard, reasons } of work.retry) {
    const dropped = shards.find(({ name }) => name === shard)?.dropped ?? {};
    retried[shard] = Object.fromEntries(Object.entries(dropped).filter(([reason]) => reasons.includes(reason)));
    const path = await fetch(`${shard}.parquet`);
    const columns = await furtherColumns(path, own);
    ofShards.push(columns);
    const asked = askedOf(path, Object.keys(columns), options);
    const before = rows.length;
    const read = [...Object.keys(BatchLink.omit({ text: true }).shape), 'caption', 'error_message', ...Object.keys(columns)];
    for await (const row of readParquet<Sample & Record<string, unknown>>(path, read))
      if (row.error_message !== null && reasonsOfStatus(row.error_message).some((reason) => reasons.includes(reason))) rows.push({ row, asked });
    if (rows.length - before !== totalDropped(retried[shard]))
      throw new ShardError(
        `${path} has ${rows.length - before} links that failed for ${reasons.join(', ')}, and its marker says ${totalDropped(retried[shard])}.`,
      );
  }
  const further = mergedColumns(ofShards);
  const links = rows.map(({ row, asked }): DownloadLink => {
    const { hash, url, caption, language, licence, uid, page_url, crawl_file, record_offset } = row;
    const values = furtherValues(row, further);
    return { hash, url, text: caption, language, licence, uid, page_url, crawl_file, record_offset, ...asked(values), further: values };
  });
  return { links, further, retried };
}

import type { BatchLink } from '../contracts/records.ts';
import { sampleUid } from '../formats/sample-hash.ts';
import type { Database } from './client.ts';
import { type RestColumn, restValues } from './further-values.ts';
import { linkColumns } from './link-rows.ts';

/** Rows in memory at a time. */
const ROWS_AT_A_TIME = 500;

interface LinkRow {
  hash: bigint;
  record_offset: bigint | null;
  url: string;
  text: string;
  language: string;
  licence: string | null;
  uid: string | null;
  page_url: string | null;
  crawl_file: string | null;
  rest: string | null;
}

/** The links of a batch that was drawn, in the order of hash: however often its file is made, it is the same. */
export async function* readBatch(sql: Database, batch: number, columns: readonly RestColumn[]): AsyncGenerator<BatchLink & Record<string, unknown>> {
  const query = sql.unsafe<LinkRow[]>(`SELECT ${linkColumns.join(', ')} FROM pairmill.batch_rows WHERE batch = $1 ORDER BY hash`, [batch]);
  for await (const rows of query.cursor(ROWS_AT_A_TIME)) {
    for (const { rest, uid, page_url, crawl_file, ...link } of rows) {
      yield {
        ...restValues(rest, columns),
        ...link,
        uid: uid ?? sampleUid(link.url, link.text),
        page_url: page_url ?? '',
        crawl_file: crawl_file ?? '',
      };
    }
  }
}

import { UsageError } from '../../contracts/errors.ts';
import { BatchLink } from '../../contracts/records.ts';
import { type FurtherColumns, furtherColumns, furtherValues } from '../../formats/further-columns.ts';
import { readParquetRange } from '../../formats/parquet.ts';

/** A link to download. */
export interface DownloadLink extends BatchLink {
  /** sha256 that the bytes must have, hex; absent where nothing is verified. */
  expectedSha256?: string | undefined;
  /** Values of the columns that are passed on. */
  further: Record<string, unknown>;
}

/** Links in the order of the samples to be, and the columns that they bring along. */
export interface Links {
  links: DownloadLink[];
  further: FurtherColumns;
}

/** Rows of a batch or of a list (`end` excluded; all where none are given). `verifyHash` names the column with the sha256 of the bytes. */
export async function readLinks(
  path: string,
  { rows, verifyHash }: { rows?: { start: number; end: number }; verifyHash?: string | undefined },
): Promise<Links> {
  const further = await furtherColumns(path, BatchLink);
  const expected = verifyHash === undefined ? undefined : hashColumn(path, Object.keys(further), verifyHash);
  const links: DownloadLink[] = [];
  for await (const row of readParquetRange<BatchLink & Record<string, unknown>>(path, rows ?? { start: 0, end: Infinity }))
    links.push({
      ...known(row),
      ...(expected !== undefined && { expectedSha256: String(row[expected] ?? '').toLowerCase() }),
      further: furtherValues(row, further),
    });
  return { links, further };
}

function known({ hash, url, text, language, licence, uid, page_url, crawl_file, record_offset }: BatchLink): BatchLink {
  return { hash, url, text, language, licence, uid, page_url, crawl_file, record_offset };
}

/** A list's column `sha256` comes along as `input_sha256`, since samples have one of that name. */
function hashColumn(path: string, columns: readonly string[], wanted: string): string {
  const found = columns.find((name) => name === wanted) ?? columns.find((name) => name === `input_${wanted.toLowerCase()}`);
  if (found === undefined)
    throw new UsageError(`${path} has no column ${wanted} (beside its own it has ${columns.join(', ')}). Name another with --verify-hash.`);
  return found;
}

import { UsageError } from '../../contracts/errors.ts';
import { BatchLink } from '../../contracts/records.ts';
import { type FurtherColumns, furtherColumns, furtherValues } from '../../formats/further-columns.ts';
import { parquetColumns, readParquet, readParquetRange } from '../../formats/parquet.ts';
import { sampleHash, sampleUid } from '../../formats/sample-hash.ts';
import { listPath } from './list-files.ts';
import type { DownloadOptions } from './options.ts';

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

/** The links of a batch file. */
export async function readBatchLinks(path: string): Promise<Links> {
  const further = await furtherColumns(path, BatchLink);
  const links: DownloadLink[] = [];
  for await (const row of readParquet<BatchLink & Record<string, unknown>>(path)) links.push({ ...known(row), further: furtherValues(row, further) });
  return { links, further };
}

/** Rows of the files of a list. Columns that only some of the files have are null in the others. */
export async function readListLinks(input: string, parts: readonly { file: string; start: number; end: number }[], options: DownloadOptions): Promise<Links> {
  const links: DownloadLink[] = [];
  const all: Record<string, FurtherColumns[string]> = {};
  for (const { file, start, end } of parts) {
    const path = listPath(input, file);
    const columns = await chooseColumns(path, options);
    const further = Object.fromEntries(Object.entries(await furtherColumns(path, BatchLink)).filter(([name]) => !columns.taken.has(name)));
    for (const [name, type] of Object.entries(further)) all[name] ??= type;
    for await (const row of readParquetRange(path, { start, end }))
      links.push({ ...linkOf(row, columns, path, options), further: furtherValues(row, further) });
  }
  return { links, further: all };
}

function known({ hash, url, text, language, licence, uid, page_url, crawl_file, record_offset }: BatchLink): BatchLink {
  return { hash, url, text, language, licence, uid, page_url, crawl_file, record_offset };
}

interface Columns {
  url: string;
  text: string | undefined;
  expected: string | undefined;
  /** Columns of the list that became one of ours. */
  taken: ReadonlySet<string>;
}

async function chooseColumns(path: string, { urlCol, captionCol, verifyHash }: DownloadOptions): Promise<Columns> {
  const present = await parquetColumns(path);
  const find = (wanted: string, option: string): string => {
    // LAION's files say URL where img2dataset's say url.
    const found = present.find((name) => name === wanted) ?? present.find((name) => name.toLowerCase() === wanted.toLowerCase());
    if (found === undefined) throw new UsageError(`${path} has no column ${wanted} (it has ${present.join(', ')}). Name it with ${option}.`);
    return found;
  };
  const url = find(urlCol, '--url-col');
  const text = captionCol === undefined ? ['text', 'TEXT', 'caption'].find((name) => present.includes(name)) : find(captionCol, '--caption-col');
  const expected = verifyHash === undefined ? undefined : find(verifyHash, '--verify-hash');
  return { url, text, expected, taken: new Set([url, text].filter((name) => name !== undefined)) };
}

function linkOf(row: Record<string, unknown>, columns: Columns, path: string, { trustHash }: DownloadOptions): Omit<DownloadLink, 'further'> {
  const url = row[columns.url];
  const text = columns.text === undefined ? '' : (row[columns.text] ?? '');
  if (typeof url !== 'string' || typeof text !== 'string')
    throw new UsageError(
      `${path}: ${columns.url} and ${columns.text} must be text, but a row has ${JSON.stringify(String(url))}. Name other columns with --url-col and --caption-col.`,
    );
  const computed = sampleHash(url, text);
  const given = row['hash'];
  if (typeof given === 'bigint' && given !== computed && !trustHash)
    throw new UsageError(
      `${path}: the hash of ${url} is ${given} in the file, but ${computed} by its URL and text. Check --caption-col, or keep the file's with --trust-hash.`,
    );
  const textOf = (name: string): string => (typeof row[name] === 'string' ? row[name] : '');
  const offset = row['record_offset'];
  return {
    hash: typeof given === 'bigint' ? given : computed,
    url,
    text,
    language: textOf('language'),
    licence: typeof row['licence'] === 'string' ? row['licence'] : null,
    uid: textOf('uid') || sampleUid(url, text),
    page_url: textOf('page_url'),
    crawl_file: textOf('crawl_file'),
    record_offset: typeof offset === 'bigint' ? offset : typeof offset === 'number' ? BigInt(offset) : null,
    expectedSha256: columns.expected === undefined ? undefined : String(row[columns.expected] ?? '').toLowerCase(),
  };
}

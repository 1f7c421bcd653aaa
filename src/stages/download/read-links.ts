import { UsageError } from '../../contracts/errors.ts';
import { BatchLink } from '../../contracts/records.ts';
import { type FurtherColumns, furtherColumns, furtherValues } from '../../formats/further-columns.ts';
import { readParquet } from '../../formats/parquet.ts';
import { type Box, parseBoxes } from './blur-boxes.ts';
import { type DownloadOptions, type HashType, hashTypes } from './options.ts';
import { sampleSchema } from './sample-schema.ts';

/** A link to download. */
export interface DownloadLink extends BatchLink {
  /** Hash that the bytes must have, hex; absent where nothing is verified. */
  expectedHash?: { type: HashType; hex: string } | undefined;
  /** What is to be blurred; `unreadable` where the column does not hold boxes. */
  boxes?: readonly Box[] | 'unreadable' | undefined;
  /** Values of the columns that are passed on. */
  further: Record<string, unknown>;
}

/** Links in the order of the samples to be, and the columns that they bring along. */
export interface Links {
  links: DownloadLink[];
  further: FurtherColumns;
}

/** Rows of a batch or of a list, `end` excluded; all where none are given. */
export async function readLinks(path: string, options: DownloadOptions, rows = { start: 0, end: Infinity }): Promise<Links> {
  const columns = await furtherColumns(path, BatchLink);
  const own = sampleSchema(options).shape;
  const names = Object.keys(columns).map((name) => [name, Object.hasOwn(own, name) ? `input_${name}` : name] as const);
  const further = Object.fromEntries(names.map(([name, passed]) => [passed, columns[name]!]));
  const asked = askedOf(path, Object.keys(columns), options);
  const links: DownloadLink[] = [];
  for await (const row of readParquet<BatchLink & Record<string, unknown>>(path, undefined, rows)) {
    const values = furtherValues(row, columns);
    links.push({
      ...known(row),
      ...asked(values),
      further: Object.fromEntries(names.map(([name, passed]) => [passed, values[name]])),
    });
  }
  return { links, further };
}

/** What the options ask of a link, by the values of its further columns: a hash to verify, boxes to blur. Throws UsageError where a column is not there. */
export function askedOf(
  path: string,
  columns: readonly string[],
  options: DownloadOptions,
): (values: Readonly<Record<string, unknown>>) => Pick<DownloadLink, 'expectedHash' | 'boxes'> {
  const hash = options.verifyHash && hashToVerify(path, columns, options);
  const boxes = options.bboxCol === undefined ? undefined : columnNamed(path, columns, options.bboxCol, '--bbox-col');
  return (values) => ({
    ...(hash && { expectedHash: { type: hash.type, hex: String(values[hash.column] ?? '').toLowerCase() } }),
    ...(boxes !== undefined && { boxes: parseBoxes(values[boxes]) }),
  });
}

function known({ hash, url, text, language, licence, uid, page_url, crawl_file, record_offset }: BatchLink): BatchLink {
  return { hash, url, text, language, licence, uid, page_url, crawl_file, record_offset };
}

function hashToVerify(path: string, columns: readonly string[], { verifyHash, computeHash }: DownloadOptions): { column: string; type: HashType } {
  const [column = '', type] = verifyHash!;
  return { column: columnNamed(path, columns, column, '--verify-hash'), type: hashType(type ?? (computeHash === 'none' ? 'sha256' : computeHash)) };
}

/** Throws UsageError where it is none that is computed. */
export function hashType(name: string): HashType {
  const type = hashTypes.find((each) => each === name.toLowerCase());
  if (!type) throw new UsageError(`--verify-hash: ${name} is no type of hash that is computed. Give one of ${hashTypes.join(', ')}.`);
  return type;
}

/** A list's column `sha256` comes along as `input_sha256`, since samples have one of that name. */
function columnNamed(path: string, columns: readonly string[], wanted: string, flag: string): string {
  const found = columns.find((name) => name === wanted) ?? columns.find((name) => name === `input_${wanted.toLowerCase()}`);
  if (found === undefined)
    throw new UsageError(
      `${path} has no column ${wanted} (beside its own it has ${columns.join(', ')}). Name another with ${flag}; where --save-additional-columns is given, it names this one too.`,
    );
  return found;
}

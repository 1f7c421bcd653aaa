import { basename } from 'node:path';
import { z } from 'zod';
import type { Dataset, DatasetState } from '../contracts/dataset.ts';
import { messageOf, ShardError, UsageError } from '../contracts/errors.ts';
import type { Sample } from '../contracts/records.ts';
import type { HandedSample } from '../contracts/stage.ts';
import { type FurtherColumns, furtherColumns } from './further-columns.ts';
import { parquetElements, readParquet } from './parquet.ts';
import { pictureColumnOf } from './picture-column.ts';
import { parsePythonJson } from './raw-json.ts';
import { sampleHash, sampleUid } from './sample-hash.ts';
import { readSamples } from './webdataset.ts';

/**
 * A shard of `samples/` or `pairs/`: NNNNN.tar with the row of each sample from NNNNN.parquet. Shards of img2dataset
 * work too: what its rows lack is filled in, and without a parquet file the row is the sample's json.
 */
export interface ShardSample {
  key: string;
  row: Sample;
  /** The row as it was read: `similarity` and `NSFW` in pairs, whatever columns others add. */
  raw: Record<string, unknown>;
  /** `jpg`, `png` or `webp`, and the encoded picture. */
  pictureSuffix: string;
  picture: Uint8Array;
  members: Map<string, Uint8Array>;
}

/** Local paths of a shard's files; another tool's may have no rows. */
export interface SampleShardFiles {
  tar: string;
  rows: string | undefined;
}

export async function sampleShardFiles(dataset: Dataset, name: string): Promise<SampleShardFiles> {
  return { rows: await sampleRowsFile(dataset, name), tar: await dataset.fetch(`${name}.tar`) };
}

/** The Parquet file alone, where there is one: small, where the tar may have to be fetched from afar. */
export async function sampleRowsFile(dataset: Dataset, name: string): Promise<string | undefined> {
  const file = `${name}.parquet`;
  return (await dataset.storage.size(file)) === undefined ? undefined : dataset.fetch(file);
}

/**
 * The columns of the rows that `known` lacks, to be passed on. LAION's names of columns that `ShardSample.row` holds under
 * ours are not among them: a reader that does not tell `URL` from `url` could not open the file.
 */
export async function furtherSampleColumns(rows: string | undefined, known: z.ZodObject): Promise<FurtherColumns> {
  if (rows === undefined) return {};
  const columns = await furtherColumns(rows, known);
  const pictures = pictureColumnOf(await parquetElements(rows));
  return Object.fromEntries(Object.entries(columns).filter(([name]) => !laionNames.has(name) && name !== pictures));
}

/** The same of the schema by which the rows are written. */
export function furtherColumnsOf(schema: z.ZodObject, known: z.ZodObject): FurtherColumns {
  const further = Object.entries(schema.shape).filter(([name]) => !Object.hasOwn(known.shape, name) && !laionNames.has(name));
  return Object.fromEntries(further.map(([name, type]) => [name, type instanceof z.ZodNullable ? type : (type as z.ZodType).nullable()]));
}

/** A sample that was not read but handed over as it was packed: as it would be read from its files. */
export function handedShardSample({ row, members }: HandedSample): ShardSample {
  const raw = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, typeof value === 'string' ? value.toWellFormed() : (value ?? null)]));
  const key = String(raw['key']);
  const all = new Map(members);
  const pictureSuffix = pictureSuffixes.find((suffix) => all.has(suffix))!;
  return { key, row: sampleRow(key, raw, all), raw, pictureSuffix, picture: all.get(pictureSuffix)!, members: all };
}

const laionNames = new Set(['URL', 'TEXT', 'LANGUAGE', 'LICENSE']);

/** Throws UsageError where download has written another format than those that `stage` reads: it would look for them in vain. */
export function assertTars({ shards }: DatasetState, stage: string, ...others: readonly string[]): void {
  for (const { name, madeBy } of shards) {
    const format = madeBy?.options['outputFormat'] ?? 'webdataset';
    if (format === 'webdataset' || others.includes(String(format))) continue;
    throw new UsageError(
      `${stage} reads tars, and ${name} was downloaded with --output-format ${String(format)}. ${format === 'dummy' ? 'Download it again with webdataset.' : 'Give its folder to pairmill run, which packs it.'}`,
    );
  }
}

const pictureSuffixes = ['jpg', 'jpeg', 'png', 'webp'];

/** Samples in the order of the tar. Throws ShardError where tar and parquet do not hold the same samples. */
export async function* readSampleShard({ tar: path, rows: rowsPath }: SampleShardFiles): AsyncGenerator<ShardSample> {
  const rows = rowsPath === undefined ? undefined : await successes(rowsPath);
  const list = rowsPath === undefined ? '' : basename(rowsPath);
  let read = 0;
  for await (const { key, members } of wholeSamples(path)) {
    const raw = rows ? rows.get(key) : jsonRow(path, key, members.get('json'));
    if (!raw) throw new ShardError(`${path} holds the sample ${key}, which ${list} does not list as a success. Make the shard again.`);
    const pictureSuffix = pictureSuffixes.find((suffix) => members.has(suffix));
    if (!pictureSuffix)
      throw new ShardError(
        `${path}: the sample ${key} has no picture (${pictureSuffixes.join(', ')}), only ${[...members.keys()].join(', ')}. Make the shard again.`,
      );
    read++;
    yield { key, row: sampleRow(key, raw, members), raw, pictureSuffix, picture: members.get(pictureSuffix)!, members };
  }
  if (rows && read !== rows.size) throw new ShardError(`${path} holds ${read} samples where ${list} lists ${rows.size} successes. Make the shard again.`);
}

/** The samples of a tar; whatever is wrong with it is said with its name. */
async function* wholeSamples(path: string): ReturnType<typeof readSamples> {
  try {
    yield* readSamples(path);
  } catch (error) {
    const message = messageOf(error);
    throw new ShardError(message.includes(path) ? message : `${path} is not a whole tar file: ${message}. Make the shard again.`, { cause: error });
  }
}

async function successes(path: string): Promise<Map<string, Record<string, unknown>>> {
  const rows = new Map<string, Record<string, unknown>>();
  for await (const row of readParquet(path)) {
    if ((row['status'] ?? 'success') === 'success') rows.set(String(row['key']), row);
  }
  return rows;
}

/** Integers of 64 bits are taken from the source text: a JavaScript number would round them. */
function jsonRow(path: string, key: string, bytes: Uint8Array | undefined): Record<string, unknown> {
  if (!bytes) return {};
  try {
    return parsePythonJson(Buffer.from(bytes).toString('utf8'), (name, value, context) =>
      (name === 'hash' || name === 'record_offset') && typeof value === 'number' ? BigInt(context?.source ?? value) : value,
    ) as Record<string, unknown>;
  } catch (error) {
    throw new ShardError(`${path}: the json of the sample ${key} can't be read: ${messageOf(error)}. Make the shard again.`, { cause: error });
  }
}

/** The row in our columns. */
export function sampleRow(key: string, raw: Record<string, unknown>, members: ReadonlyMap<string, Uint8Array>): Sample {
  const text = (...names: string[]): string | undefined => names.map((name) => raw[name]).find((value): value is string => typeof value === 'string');
  const whole = (name: string): number | null => (raw[name] === null || raw[name] === undefined ? null : Number(raw[name]));
  const big = (name: string): bigint | undefined => (typeof raw[name] === 'bigint' ? raw[name] : typeof raw[name] === 'number' ? BigInt(raw[name]) : undefined);
  const url = text('url', 'URL') ?? key;
  const txt = members.get('txt');
  const caption = text('caption', 'TEXT') ?? (txt ? Buffer.from(txt).toString('utf8') : '');
  return {
    language: text('language', 'LANGUAGE') ?? '',
    licence: text('licence', 'LICENSE') ?? null,
    hash: big('hash') ?? sampleHash(url, caption),
    uid: text('uid') ?? sampleUid(url, caption),
    page_url: text('page_url') ?? '',
    crawl_file: text('crawl_file') ?? '',
    record_offset: big('record_offset') ?? null,
    caption,
    url,
    key,
    status: 'success',
    error_message: null,
    width: whole('width'),
    height: whole('height'),
    original_width: whole('original_width'),
    original_height: whole('original_height'),
    exif: text('exif') ?? null,
    sha256: text('sha256') ?? null,
  };
}

import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, ShardError } from '../contracts/errors.ts';
import type { Sample } from '../contracts/records.ts';
import { readParquet } from './parquet.ts';
import { sampleHash } from './sample-hash.ts';
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

const pictureSuffixes = ['jpg', 'jpeg', 'png', 'webp'];

/** Samples in the order of the tar. Throws ShardError where tar and parquet do not hold the same samples. */
export async function* readSampleShard(folder: string, name: string): AsyncGenerator<ShardSample> {
  const path = join(folder, `${name}.tar`);
  const rows = await successes(join(folder, `${name}.parquet`));
  let read = 0;
  for await (const { key, members } of wholeSamples(path)) {
    const raw = rows ? rows.get(key) : jsonRow(members.get('json'));
    if (!raw) throw new ShardError(`${path} holds the sample ${key}, which ${name}.parquet does not list as a success. Make the shard again.`);
    const pictureSuffix = pictureSuffixes.find((suffix) => members.has(suffix));
    if (!pictureSuffix)
      throw new ShardError(
        `${path}: the sample ${key} has no picture (${pictureSuffixes.join(', ')}), only ${[...members.keys()].join(', ')}. Make the shard again.`,
      );
    read++;
    yield { key, row: sampleRow(key, raw, members), raw, pictureSuffix, picture: members.get(pictureSuffix)!, members };
  }
  if (rows && read !== rows.size)
    throw new ShardError(`${path} holds ${read} samples where ${name}.parquet lists ${rows.size} successes. Make the shard again.`);
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

async function successes(path: string): Promise<Map<string, Record<string, unknown>> | undefined> {
  try {
    await access(path);
  } catch {
    return undefined;
  }
  const rows = new Map<string, Record<string, unknown>>();
  for await (const row of readParquet(path)) {
    if ((row['status'] ?? 'success') === 'success') rows.set(String(row['key']), row);
  }
  return rows;
}

/** Integers of 64 bits are taken from the source text: a JavaScript number would round them. */
function jsonRow(bytes: Uint8Array | undefined): Record<string, unknown> {
  if (!bytes) return {};
  return JSON.parse(Buffer.from(bytes).toString('utf8'), (key, value: unknown, context?: { source?: string }) =>
    (key === 'hash' || key === 'record_offset') && typeof value === 'number' ? BigInt(context?.source ?? value) : value,
  ) as Record<string, unknown>;
}

/** The row in our columns. */
function sampleRow(key: string, raw: Record<string, unknown>, members: Map<string, Uint8Array>): Sample {
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
    uid:
      text('uid') ??
      createHash('md5')
        .update(caption + url)
        .digest('hex'),
    page_url: text('page_url') ?? '',
    crawl_file: text('crawl_file') ?? '',
    record_offset: big('record_offset') ?? 0n,
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

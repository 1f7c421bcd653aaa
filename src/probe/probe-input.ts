import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UsageError } from '../contracts/errors.ts';
import { readParquet } from '../formats/parquet.ts';
import { readSampleShard, type SampleShardFiles } from '../formats/sample-shard.ts';
import { readSamples } from '../formats/webdataset.ts';
import { findListColumns } from '../formats/list-columns.ts';
import { sampleHash } from '../formats/sample-hash.ts';
import type { LanguageDetector } from '../language/language-detector.ts';
import { type PictureFolder, pictureFolder } from '../sources/picture-folder.ts';
import { listSources } from '../sources/list-sources.ts';
import { tars } from '../stages/import/import.ts';
import { findCaptions, ListedCaptions } from '../stages/import/listed-captions.ts';
import type { OwnPicture } from '../stages/import/own-picture.ts';
import { picturesOfFolder } from '../stages/import/pictures-of-folder.ts';
import { isUrl } from '../storage/location.ts';
import type { S3Objects } from '../storage/s3-objects.ts';
import { SeededSample } from './seeded-sample.ts';

/** A sample to be scored. */
export interface ProbedSample {
  /** Its hash where it has one, else its path. */
  key: string;
  picture: Uint8Array;
  row: { caption: string; language: string; url: string; hash: bigint };
}

/** Samples drawn at random out of what was given. */
export interface Drawn {
  /** How many there were to draw from. */
  of: number;
  samples: AsyncIterable<ProbedSample>;
  /** What `run` can be given for the same samples. */
  input: string;
}

export interface DrawSettings {
  size: number;
  seed: number;
  scratch: string;
  signal: AbortSignal;
  s3: S3Objects;
  detector(): Promise<LanguageDetector | undefined>;
}

/**
 * Draws samples: out of samples/ of a run folder, webdataset tars, or a folder of pictures. The first pass reads names only (of tars
 * without Parquet, the tar), the second one the pictures that were drawn. Throws UsageError where there are none.
 */
export async function drawSamples(input: string, settings: DrawSettings): Promise<Drawn> {
  if (isUrl(input)) throw new UsageError(`pairmill probe reads local files, and ${input} is a URL. Copy some of its tars here, and probe these.`);
  const folder = (await isFolder(join(input, 'samples'))) ? join(input, 'samples') : input;
  const pictures = await pictureFolder(folder, settings.s3);
  if (pictures) return drawPictures(pictures, settings);
  const files = (await listSources(folder, tars, settings.s3)).map(({ path }) => path);
  return { ...(await drawFromTars(files, settings)), input: folder };
}

async function drawFromTars(tarPaths: readonly string[], settings: DrawSettings): Promise<Omit<Drawn, 'input'>> {
  const drawn = new SeededSample<{ shard: number; key: string }>(settings.size, settings.seed);
  const shards: SampleShardFiles[] = [];
  for (const tar of tarPaths) {
    const rows = tar.replace(/\.tar$/i, '.parquet');
    shards.push({ tar, rows: (await stat(rows).catch(() => undefined))?.isFile() ? rows : undefined });
    for await (const { key, identity } of names(shards.at(-1)!)) {
      settings.signal.throwIfAborted();
      drawn.offer(identity, { shard: shards.length - 1, key });
    }
  }
  if (drawn.offered === 0) throw new UsageError(`There is no sample in ${tarPaths.join(', ')}. Give tars with pictures.`);
  const chosen = Map.groupBy(drawn.items(), ({ shard }) => shard);
  return {
    of: drawn.offered,
    samples: chosenOf(shards, new Map([...chosen].map(([shard, items]) => [shard, new Set(items.map(({ key }) => key))])), settings),
  };
}

/** Every sample of a shard by its key, with what it is known by: its hash, else URL and text, else its json, else its place. */
async function* names({ tar, rows }: SampleShardFiles): AsyncGenerator<{ key: string; identity: string }> {
  const place = (key: string): string => `${basename(tar)}/${key}`;
  if (rows === undefined) {
    for await (const { key, members } of readSamples(tar)) {
      const json = members.get('json');
      yield { key, identity: json ? Buffer.from(json).toString('utf8') : place(key) };
    }
    return;
  }
  for await (const row of readParquet(rows)) {
    const { key, hash, status = 'success', url, caption } = row as Record<string, string | bigint | undefined>;
    if (status !== 'success') continue;
    const known = url === undefined ? place(String(key)) : `${url} ${caption ?? ''}`;
    yield { key: String(key), identity: hash === undefined ? known : String(hash) };
  }
}

async function* chosenOf(
  shards: readonly SampleShardFiles[],
  chosen: ReadonlyMap<number, ReadonlySet<string>>,
  settings: DrawSettings,
): AsyncGenerator<ProbedSample> {
  for (const [i, files] of shards.entries()) {
    const keys = chosen.get(i);
    if (!keys) continue;
    for await (const { key, picture, row } of readSampleShard(files)) {
      settings.signal.throwIfAborted();
      if (keys.has(key)) yield { key, picture, row };
    }
  }
}

async function drawPictures(folder: PictureFolder, settings: DrawSettings): Promise<Drawn> {
  const { pictures } = await folder.find();
  const drawn = new SeededSample<string>(settings.size, settings.seed);
  for (const { path } of pictures) drawn.offer(path, path);
  const paths = drawn.items().sort();
  const list = await findCaptions(folder, undefined);
  const captions = list && (await ListedCaptions.read(list.path, paths, undefined, settings));
  return { of: drawn.offered, samples: picturesAt(folder, paths, captions, settings), input: folder.location };
}

async function* picturesAt(
  folder: PictureFolder,
  paths: readonly string[],
  captions: ListedCaptions | undefined,
  settings: DrawSettings,
): AsyncGenerator<ProbedSample> {
  for (const path of paths) {
    settings.signal.throwIfAborted();
    const [picture] = await picturesOfFolder(folder, [path], captions);
    const { caption, known, url } = picture!;
    const language = statedLanguage(known) ?? (caption === '' ? '' : ((await settings.detector())?.detect(caption)?.code ?? ''));
    yield { key: basename(path), picture: await picture!.read(), row: { caption, language, url, hash: sampleHash(url, caption) } };
  }
}

/** Undefined where nothing beside the picture says it. */
function statedLanguage(known: OwnPicture['known']): string | undefined {
  const column = findListColumns(Object.keys(known)).language;
  const stated = column === undefined ? undefined : known[column];
  return typeof stated === 'string' ? stated.trim().toLowerCase() : undefined;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

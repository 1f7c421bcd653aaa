import { join } from 'node:path';
import { UsageError } from '../../contracts/errors.ts';
import type { Effects, PlanContext, RunContext, Shard, ShardResult, Stage } from '../../contracts/stage.ts';
import { residentDetector } from '../../language/language-options.ts';
import { listSources } from '../../sources/list-sources.ts';
import { localCopy } from '../../sources/local-copy.ts';
import type { SourceKind } from '../../sources/source-file.ts';
import { openPictureFolder, type PictureFolder, pictureFolder, stemOf } from '../../sources/picture-folder.ts';
import { planSources } from '../../sources/plan-sources.ts';
import { currentPath } from '../../sources/source-work.ts';
import { S3Objects } from '../../storage/s3-objects.ts';
import { archiveOf, type FoundPicture, ImportWork, planPictures } from './import-work.ts';
import { findCaptions, ListedCaptions } from './listed-captions.ts';
import { type ImportOptions, importOptions } from './options.ts';
import { type Packing, packShard } from './pack-shard.ts';
import { picturesOfFolder } from './pictures-of-folder.ts';
import { picturesOfParquet } from './pictures-of-parquet.ts';
import { picturesOfTar } from './pictures-of-tar.ts';

/** Webdataset tars of any tool. */
export const tars: SourceKind = {
  name: 'tar',
  wanted: 'a folder of pictures, or webdataset tars (paths, globs, folders, URLs)',
  inFolder: /\.tar$/i,
  deep: true,
};

/** These, and Parquet files that hold pictures. */
const archives: SourceKind = {
  name: 'tar or Parquet file with pictures',
  wanted: 'a folder of pictures, webdataset tars, or Parquet files with pictures (paths, globs, folders, URLs)',
  inFolder: /\.(?:tar|parquet)$/i,
  deep: true,
};

/** Packs pictures that are there: those of a folder, of webdataset tars or of Parquet files, whatever their order and their names. */
export const importPictures: Stage<'import', typeof importOptions, ImportWork> = {
  name: 'import',
  does: 'Packs pictures that you have (a folder of them, webdataset tars of any tool, or Parquet files that hold them) with their texts.',
  reads: [],
  takes: 'a folder of pictures, webdataset tars, or Parquet files with pictures',
  writes: 'samples',
  unit: 'pictures',
  format: 1,
  options: importOptions,
  work: ImportWork,
  records: true,

  async plan(context) {
    const { input, options, recorded } = context;
    if (input === undefined) throw new UsageError(`import has no pictures. Give ${archives.wanted} with --input.`);
    const folder = await pictureFolder(input, new S3Objects(context.environment, true));
    if (folder === undefined) return { shards: await planArchives(input, context), complete: true };
    const captions = await findCaptions(folder, options.captions);
    const found = await foundPictures(folder);
    return { shards: planPictures(found, recorded, options.numberSamplePerShard, captions?.identity ?? ''), complete: true };
  },

  run: (shard, context, effects) =>
    'pictures' in shard.work ? packFolder(shard.name, shard.work.pictures, context, effects) : packArchive(shard.name, shard.work, context, effects),
};

async function packFolder(name: string, paths: readonly string[], context: RunContext<ImportOptions>, effects: Effects<'import'>): Promise<ShardResult> {
  const { options, input = '', scratch, environment } = context;
  const s3 = new S3Objects(environment, true);
  const folder = openPictureFolder(input, s3);
  const list = await findCaptions(folder, options.captions);
  const captions = list && (await ListedCaptions.read(list.path, paths, options.fileCol, { scratch, signal: effects.signal, s3 }));
  const pictures = await picturesOfFolder(folder, paths, captions, options.captionCol);
  return packShard(name, pictures, packing(context, options.numberSamplePerShard), effects);
}

async function packArchive(name: string, work: ImportWork, context: RunContext<ImportOptions>, effects: Effects<'import'>): Promise<ShardResult> {
  const { options, input = '', scratch, environment, runLocation } = context;
  const s3 = new S3Objects(environment, true);
  const archive = archiveOf(work)!;
  const path = await currentPath(archive, runLocation, () => listSources(input, archives, s3));
  const local = await localCopy(path, join(scratch, 'import'), effects.signal, s3);
  const { pictures, close } = await ('tar' in work ? picturesOfTar : picturesOfParquet)(local, archive.path, options.captionCol);
  try {
    return await packShard(name, pictures, packing(context, Math.max(USUAL_SAMPLES, pictures.length)), effects);
  } finally {
    await close();
  }
}

function packing({ options, resources }: RunContext<ImportOptions>, samplesPerShard: number): Packing {
  return { options, detector: () => residentDetector(options, resources), samplesPerShard };
}

/** A tar of up to so many samples has keys of nine digits, as other shards have. */
const USUAL_SAMPLES = 10_000;

/** What a command that was given --output wrote there about what it has dropped. */
const REJECTS = /(?:^|\/)rejects\/\w+\/\d+\.parquet$/;

async function planArchives(input: string, { environment, recorded, runLocation }: PlanContext<ImportOptions, ImportWork>): Promise<Shard<ImportWork>[]> {
  const found = (await listSources(input, archives, new S3Objects(environment, true))).filter(({ path }) => !REJECTS.test(path));
  const isTar = ({ path }: { path: string }): boolean => !/\.parquet(?:$|\?)/i.test(path);
  // Beside tars they hold the rows of these.
  const sources = found.some(isTar) ? found.filter(isTar) : found;
  const works = new Map([...recorded].flatMap(([name, work]) => (archiveOf(work) ? [[name, archiveOf(work)!] as const] : [])));
  return planSources(sources, works, runLocation).map(({ name, work, inputs }) => ({ name, work: isTar(work) ? { tar: work } : { parquet: work }, inputs }));
}

async function foundPictures(folder: PictureFolder): Promise<FoundPicture[]> {
  const { pictures, beside } = await folder.find();
  const besides = new Map(beside.map(({ path, bytes }) => [path, bytes]));
  return pictures.map(({ path, bytes }) => {
    const stem = stemOf(path);
    return { path, identity: [bytes, besides.get(`${stem}.txt`) ?? '', besides.get(`${stem}.json`) ?? ''].join(' ') };
  });
}

import { join } from 'node:path';
import { UsageError } from '../../contracts/errors.ts';
import { shardName } from '../../contracts/sample-key.ts';
import type { PlanContext, Shard, Stage } from '../../contracts/stage.ts';
import type { LanguageDetector } from '../../language/language-detector.ts';
import { residentDetector } from '../../language/language-options.ts';
import { currentPath } from '../../sources/current-path.ts';
import { listSources } from '../../sources/list-sources.ts';
import { localCopy } from '../../sources/local-copy.ts';
import { numberSources, pathOf, workOf } from '../../sources/number-sources.ts';
import type { SourceKind } from '../../sources/source-file.ts';
import { openPictureFolder, type PictureFolder, pictureFolder } from '../../sources/picture-folder.ts';
import { sourceName } from '../../sources/source-name.ts';
import { S3Objects } from '../../storage/s3-objects.ts';
import { type FoundPicture, ImportWork, planPictures } from './import-work.ts';
import { findCaptions, ListedCaptions } from './listed-captions.ts';
import { type ImportOptions, importOptions } from './options.ts';
import { packShard } from './pack-shard.ts';
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

  async run(shard, context, effects) {
    const { options, input = '', scratch, environment } = context;
    const s3 = new S3Objects(environment, true);
    const detector = (): Promise<LanguageDetector | undefined> => residentDetector(options, context.resources);
    if ('pictures' in shard.work) {
      const folder = openPictureFolder(input, s3);
      const list = await findCaptions(folder, options.captions);
      const captions = list && (await ListedCaptions.read(list.path, shard.work.pictures, options.fileCol, { scratch, signal: effects.signal, s3 }));
      const pictures = await picturesOfFolder(folder, shard.work.pictures, captions, options.captionCol);
      return packShard(shard.name, pictures, { options, detector, samplesPerShard: options.numberSamplePerShard }, effects);
    }
    const archive = 'tar' in shard.work ? shard.work.tar : shard.work.parquet;
    const path = await localCopy(
      archive.signed ? await currentPath(archive, input, archives, s3) : pathOf(archive, context.runLocation),
      join(scratch, 'import'),
      effects.signal,
      s3,
    );
    const { pictures, close } =
      'parquet' in shard.work ? await picturesOfParquet(path, archive.path, options.captionCol) : await picturesOfTar(path, archive.path, options.captionCol);
    try {
      return await packShard(shard.name, pictures, { options, detector, samplesPerShard: Math.max(10_000, pictures.length) }, effects);
    } finally {
      await close();
    }
  },
};

/** What a command that was given --output wrote there about what it has dropped. */
const REJECTS = /(?:^|\/)rejects\/\w+\/\d+\.parquet$/;

async function planArchives(input: string, { environment, recorded, runLocation }: PlanContext<ImportOptions, ImportWork>): Promise<Shard<ImportWork>[]> {
  const found = (await listSources(input, archives, new S3Objects(environment, true))).filter(({ path }) => !REJECTS.test(path));
  const isTar = ({ path }: { path: string }): boolean => !/\.parquet(?:$|\?)/i.test(path);
  // Beside tars they hold the rows of these.
  const sources = found.some(isTar) ? found.filter(isTar) : found;
  const works = new Map([...recorded].flatMap(([name, work]) => ('pictures' in work ? [] : [[name, 'tar' in work ? work.tar : work.parquet] as const])));
  const numbered = numberSources(
    sources.map((file) => workOf(file, runLocation)),
    works,
  );
  return numbered.map(([number, source]) => ({
    name: shardName(number),
    work: isTar(source) ? { tar: source } : { parquet: source },
    inputs: [{ name: sourceName(source.path), digest: source.digest }],
  }));
}

async function foundPictures(folder: PictureFolder): Promise<FoundPicture[]> {
  const { pictures, beside } = await folder.find();
  const besides = new Map(beside.map(({ path, bytes }) => [path, bytes]));
  return pictures.map(({ path, bytes }) => {
    const stem = path.replace(/\.[^./]*$/, '');
    return { path, identity: [bytes, besides.get(`${stem}.txt`) ?? '', besides.get(`${stem}.json`) ?? ''].join(' ') };
  });
}

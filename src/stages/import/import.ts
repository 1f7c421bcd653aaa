import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { UsageError } from '../../contracts/errors.ts';
import { shardName } from '../../contracts/sample-key.ts';
import type { PlanContext, Shard, Stage } from '../../contracts/stage.ts';
import type { LanguageDetector } from '../../language/language-detector.ts';
import { residentDetector } from '../../language/language-options.ts';
import { currentPath } from '../../sources/current-path.ts';
import { findPictures } from '../../sources/find-pictures.ts';
import { listSources } from '../../sources/list-sources.ts';
import { localCopy } from '../../sources/local-copy.ts';
import { numberSources, pathOf, workOf } from '../../sources/number-sources.ts';
import type { SourceKind } from '../../sources/source-file.ts';
import { sourceName } from '../../sources/source-name.ts';
import { S3Objects } from '../../storage/s3-objects.ts';
import { type FoundPicture, ImportWork, planPictures } from './import-work.ts';
import { findCaptions, ListedCaptions } from './listed-captions.ts';
import { type ImportOptions, importOptions } from './options.ts';
import { packShard } from './pack-shard.ts';
import { picturesOfFolder } from './pictures-of-folder.ts';
import { picturesOfTar } from './pictures-of-tar.ts';

/** Webdataset tars of any tool. */
export const tars: SourceKind = {
  name: 'tar',
  wanted: 'a folder of pictures, or webdataset tars (paths, globs, folders, URLs)',
  inFolder: /\.tar$/i,
  deep: true,
};

/** Packs pictures that are there: those of a folder, or of webdataset tars, whatever their order and their names. */
export const importPictures: Stage<'import', typeof importOptions, ImportWork> = {
  name: 'import',
  does: 'Packs pictures that you have (a folder of them, or webdataset tars of any tool) with their texts.',
  reads: [],
  takes: 'a folder of pictures, or webdataset tars',
  writes: 'samples',
  unit: 'pictures',
  format: 1,
  options: importOptions,
  work: ImportWork,
  records: true,

  async plan(context) {
    const { input, options, recorded } = context;
    if (input === undefined) throw new UsageError('import has no pictures. Give a folder of pictures or webdataset tars with --input.');
    const folder = await pictureFolder(input);
    if (folder === undefined) return { shards: await planTars(input, context), complete: true };
    const captions = await findCaptions(folder, options.captions);
    const found = await foundPictures(folder);
    return { shards: planPictures(found, recorded, options.numberSamplePerShard, captions?.identity ?? ''), complete: true };
  },

  async run(shard, context, effects) {
    const { options, input = '', scratch, environment } = context;
    const s3 = new S3Objects(environment, true);
    const detector = (): Promise<LanguageDetector | undefined> => residentDetector(options, context.resources);
    if ('pictures' in shard.work) {
      const folder = resolve(input);
      const list = await findCaptions(folder, options.captions);
      const captions = list && (await ListedCaptions.read(list.path, shard.work.pictures, options.fileCol, { scratch, signal: effects.signal, s3 }));
      const pictures = await picturesOfFolder(folder, shard.work.pictures, captions, options.captionCol);
      return packShard(shard.name, pictures, { options, detector, samplesPerShard: options.numberSamplePerShard }, effects);
    }
    const { tar } = shard.work;
    const path = await localCopy(
      tar.signed ? await currentPath(tar, input, tars, s3) : pathOf(tar, context.runLocation),
      join(scratch, 'import.tar'),
      effects.signal,
      s3,
    );
    const { pictures, file } = await picturesOfTar(path, tar.path, options.captionCol);
    try {
      return await packShard(shard.name, pictures, { options, detector, samplesPerShard: Math.max(10_000, pictures.length) }, effects);
    } finally {
      await file.close();
    }
  },
};

async function planTars(input: string, { environment, recorded, runLocation }: PlanContext<ImportOptions, ImportWork>): Promise<Shard<ImportWork>[]> {
  const sources = await listSources(input, tars, new S3Objects(environment, true));
  const works = new Map([...recorded].flatMap(([name, work]) => ('tar' in work ? [[name, work.tar] as const] : [])));
  const numbered = numberSources(
    sources.map((file) => workOf(file, runLocation)),
    works,
  );
  return numbered.map(([number, tar]) => ({ name: shardName(number), work: { tar }, inputs: [{ name: sourceName(tar.path), digest: tar.digest }] }));
}

/** The folder, where the input is one that holds pictures and no tars; undefined where it names tars. */
async function pictureFolder(input: string): Promise<string | undefined> {
  const info = await stat(input).catch(() => undefined);
  if (!info?.isDirectory()) return undefined;
  const { pictures } = await findPictures(input);
  return pictures.length > 0 ? resolve(input) : undefined;
}

async function foundPictures(folder: string): Promise<FoundPicture[]> {
  const { pictures, beside } = await findPictures(folder);
  const besides = new Map(beside.map(({ path, bytes }) => [path, bytes]));
  return pictures.map(({ path, bytes }) => {
    const stem = path.replace(/\.[^./]*$/, '');
    return { path, identity: [bytes, besides.get(`${stem}.txt`) ?? '', besides.get(`${stem}.json`) ?? ''].join(' ') };
  });
}

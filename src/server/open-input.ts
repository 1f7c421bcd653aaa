import { access } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from '../contracts/errors.ts';
import { localHome } from '../runtime/local-home.ts';
import { readRunRecord } from '../runtime/run-record.ts';
import { isUrl, joinLocation } from '../storage/location.ts';
import { openStorage } from '../storage/open-storage.ts';
import { CopiedIndex } from './copied-index.ts';
import { type IndexFolder, LocalIndexFolder } from './index-folder.ts';

/** What `serve` answers from. */
export interface ServedInput {
  /** Of the run, or the folder that the index lies in. */
  name: string;
  index: IndexFolder;
  /** Folder or `s3://` prefix of the tars; it may be absent. */
  pairs: string;
}

interface Surroundings {
  /** The process's, for buckets. */
  environment: Readonly<Record<string, string | undefined>>;
  /** A line for whoever runs the server. */
  warn(line: string): void;
}

/** Finds index and pictures of a run, or beside an index: a folder or an `s3://` prefix. Throws UsageError where there is no index. */
export async function findServedInput(input: string, pairs: string | undefined, { environment, warn }: Surroundings): Promise<ServedInput> {
  const folder = isUrl(input) ? input.replace(/\/+$/, '') : resolve(input);
  const given = pairs === undefined || isUrl(pairs) ? pairs : resolve(pairs);
  const served = async (index: string, name: string, own: string): Promise<ServedInput> => ({
    name,
    pairs: given ?? own,
    index: isUrl(index)
      ? new CopiedIndex(await openStorage(index, environment), join(await localHome(index), 'served-index'), warn)
      : new LocalIndexFolder(index),
  });
  if (await holdsIndex(folder, environment)) return served(folder, basename(above(folder)), locationIn(above(folder), 'pairs'));
  const { datasets } = await readRunRecord(await openStorage(folder, environment));
  const index = locationIn(folder, datasets['index'] ?? 'index');
  if (!(await holdsIndex(index, environment)))
    throw new UsageError(`${folder} holds no index (index/index.json). Make one with pairmill demo or pairmill index, or name another folder with --input.`);
  return served(index, basename(folder), locationIn(folder, datasets['pairs'] ?? 'pairs'));
}

const above = (location: string): string => (isUrl(location) ? location.slice(0, location.lastIndexOf('/')) : dirname(location));

/** A dataset's location as a run has it: absolute, or relative to the run. */
function locationIn(run: string, location: string): string {
  if (isUrl(location)) return location;
  return isUrl(run) ? joinLocation(run, location) : resolve(run, location);
}

async function holdsIndex(location: string, environment: Surroundings['environment']): Promise<boolean> {
  if (isUrl(location)) return (await (await openStorage(location, environment)).size('index.json')) !== undefined;
  return access(join(location, 'index.json')).then(
    () => true,
    () => false,
  );
}

import { access, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { systemCode, UsageError } from '../contracts/errors.ts';
import { packageVersion } from '../contracts/package-root.ts';
import { readRunRecord } from '../runtime/run-record.ts';
import { isUrl } from '../storage/location.ts';
import { openStorage } from '../storage/open-storage.ts';

/** What `serve` answers from: folders of this machine. */
export interface ServedFolders {
  /** Of the run, or the folder that the index lies in. */
  name: string;
  /** With index.json. */
  index: string;
  /** With the tars; it may be absent. */
  pairs: string;
}

/** Finds index and pictures of a run folder, or beside an index folder. Throws UsageError where there is no index. */
export async function findServedFolders(input: string, pairs: string | undefined): Promise<ServedFolders> {
  if (isUrl(input)) throw notHere(input);
  const folder = resolve(input);
  if (await exists(join(folder, 'index.json')))
    return { name: basename(dirname(folder)), index: folder, pairs: resolve(pairs ?? join(dirname(folder), 'pairs')) };
  const { datasets } = await readRunRecord(await openStorage(folder, {}), packageVersion());
  const { index: indexLocation = 'index', pairs: pairsLocation = 'pairs' } = datasets;
  if (isUrl(indexLocation)) throw notHere(indexLocation);
  const index = resolve(folder, indexLocation);
  if (!(await exists(join(index, 'index.json'))))
    throw new UsageError(`${folder} holds no index (index/index.json). Make one with pairmill demo or pairmill index, or name another folder with --input.`);
  return { name: basename(folder), index, pairs: pairs === undefined ? resolve(folder, pairsLocation) : resolve(pairs) };
}

/** What tells one build of an index from another: it is replaced as a whole, so that even two of the same content differ. */
export async function indexVersion(folder: string): Promise<string | undefined> {
  try {
    const { ino, size, mtimeNs } = await stat(join(folder, 'index.json'), { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function notHere(location: string): UsageError {
  return new UsageError(
    `serve answers from folders of this machine, and ${location} is none. Copy index/ and pairs/ of that run here, and name the folder that holds them with --input.`,
  );
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, UsageError } from '../contracts/errors.ts';

/** A shard that the stage before has published. */
export interface PublishedShard {
  /** Digits: the base name of its files. */
  name: string;
  /** What its content is known by: the fingerprint in our marker, else the size of the file. */
  identity: string;
}

/**
 * The shards of `folder` that are complete, by name. A folder of another tool's works too: img2dataset's shards count
 * as complete when they have their `_stats.json`, and where a folder has no markers at all every `NNNNN + suffix` does.
 * Throws UsageError where there is nothing to read.
 */
export async function publishedInputs(folder: string, suffix: string): Promise<PublishedShard[]> {
  let names: string[];
  try {
    names = (await readdir(folder)).sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      throw new UsageError(`The input folder ${folder} does not exist. Run the stage before it, or name another with --input.`);
    if (systemCode(error) === 'ENOTDIR')
      throw new UsageError(`The input ${folder} is a file, but this stage reads a folder of shards. Name its folder with --input.`);
    throw error;
  }
  const marked = names.filter((name) => /^\d+_stats\.json$/.test(name)).map((name) => name.slice(0, -'_stats.json'.length));
  const bare = names.filter((name) => name.endsWith(suffix) && /^\d+$/.test(name.slice(0, -suffix.length))).map((name) => name.slice(0, -suffix.length));
  const shards = await Promise.all((marked.length > 0 ? marked : bare).map(async (name) => ({ name, identity: await identify(folder, name, suffix) })));
  if (shards.length === 0)
    throw new UsageError(
      `The input folder ${folder} holds no finished shard (NNNNN${suffix} with NNNNN_stats.json). Run the stage before it, or name another with --input.`,
    );
  return shards;
}

async function identify(folder: string, name: string, suffix: string): Promise<string> {
  try {
    const marker = JSON.parse(await readFile(join(folder, `${name}_stats.json`), 'utf8')) as { fingerprint?: unknown };
    if (typeof marker.fingerprint === 'string') return marker.fingerprint;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && !(error instanceof SyntaxError)) throw error;
  }
  return `${(await stat(join(folder, name + suffix))).size} bytes`;
}

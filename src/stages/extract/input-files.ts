import { glob, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { systemCode, UsageError } from '../../contracts/errors.ts';
import type { ShardInput } from '../../contracts/stage.ts';

/** Names of the files that are read out of a folder. */
const CRAWL_FILE = /\.(?:warc|wat)(?:\.gz)?$/;
/** Lists of crawl files, as Common Crawl's `wat.paths.gz`. */
const LIST_FILE = /\.(?:paths|txt)(?:\.gz)?$/;

/**
 * The crawl files that `--input` names: paths, globs, folders, URLs and lists of them (*.paths, *.txt, also .gz, one a
 * line), separated by commas. In the order given; what a glob or folder holds is sorted by name. Throws UsageError
 * where there is nothing.
 */
export async function crawlFiles(input: string): Promise<ShardInput[]> {
  const files: ShardInput[] = [];
  for (const item of input
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean))
    files.push(...(await expand(item)));
  if (files.length === 0) throw new UsageError(`No crawl file matches ${input}. Give WAT or WARC files (paths, globs, folders, URLs) with --input.`);
  return files;
}

async function expand(item: string): Promise<ShardInput[]> {
  if (isUrl(item)) return [{ path: item, identity: item }];
  const info = await stat(item).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  if (info?.isDirectory()) return localFiles((await Array.fromAsync(glob(join(item, '*')))).filter((path) => CRAWL_FILE.test(path)));
  if (info && LIST_FILE.test(item)) return listed(item);
  if (info) return [{ path: item, identity: `${info.size} bytes` }];
  return localFiles(await Array.fromAsync(glob(item)));
}

async function localFiles(paths: string[]): Promise<ShardInput[]> {
  return Promise.all(paths.sort().map(async (path) => ({ path, identity: `${(await stat(path)).size} bytes` })));
}

async function listed(path: string): Promise<ShardInput[]> {
  const bytes = await readFile(path);
  const lines = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes)
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const files: ShardInput[] = [];
  for (const line of lines) files.push(...(await expand(line)));
  return files;
}

export function isUrl(path: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(path);
}

/** Name of a crawl file as the candidates carry it. */
export function crawlFileName(path: string): string {
  return isUrl(path) ? basename(new URL(path).pathname) : basename(path);
}

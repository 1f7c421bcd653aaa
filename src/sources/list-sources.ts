import { glob, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { systemCode, UsageError } from '../contracts/errors.ts';
import { isUrl, parseS3Url } from '../storage/location.ts';
import type { S3Objects } from '../storage/s3-objects.ts';
import { bucketFiles, isFolderOrGlob } from './bucket-files.ts';
import { isOfKind, type SourceFile, type SourceKind } from './source-file.ts';
import { withoutSecrets } from './source-name.ts';

/**
 * The files that `--input` names: paths, globs, folders, URLs and, where the kind has such, lists of them, separated by commas. In the order given; what a glob or folder holds is sorted by name. Throws UsageError
 * where there is nothing.
 */
export async function listSources(input: string, kind: SourceKind, s3: S3Objects): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for (const item of input
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean))
    files.push(...(await expand(item, kind, s3)));
  if (files.length === 0) {
    const isFolder = !isUrl(input) && (await stat(input).catch(() => undefined))?.isDirectory() === true;
    throw new UsageError(`${isFolder ? `The folder ${input} holds no ${kind.name}` : `No ${kind.name} matches ${input}`}. Give ${kind.wanted} with --input.`);
  }
  return files;
}

async function expand(item: string, kind: SourceKind, s3: S3Objects): Promise<SourceFile[]> {
  if (isUrl(item)) return expandUrl(item, kind, s3);
  const info = await stat(item).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  if (info?.isDirectory()) {
    const below = await Array.fromAsync(glob(kind.deep ? '**/*' : '*', { cwd: item }));
    return localFiles(below.filter((path) => isOfKind(path, kind)).map((path) => join(item, path)));
  }
  if (info && kind.index?.test(item)) return listed(item, kind, s3);
  if (info) return [{ path: item, digest: `${info.size} bytes` }];
  return localFiles(await Array.fromAsync(glob(item)));
}

async function expandUrl(item: string, kind: SourceKind, s3: S3Objects): Promise<SourceFile[]> {
  const location = parseS3Url(item);
  if (location) {
    await s3.check();
    return isFolderOrGlob(location) ? bucketFiles(location, s3, kind) : [{ path: item, digest: item }];
  }
  const name = withoutSecrets(item);
  if (!/^https?:/i.test(item)) throw new UsageError(`${name}: Pairmill reads http://, https:// and s3://, and paths. Give one of these.`);
  if (name !== item && URL.parse(item)?.username) throw new UsageError(`${name}: a URL with a user name and password is not read. Give one without.`);
  return [{ path: item, digest: name }];
}

async function localFiles(paths: string[]): Promise<SourceFile[]> {
  return Promise.all(paths.sort().map(async (path) => ({ path, digest: `${(await stat(path)).size} bytes` })));
}

async function listed(path: string, kind: SourceKind, s3: S3Objects): Promise<SourceFile[]> {
  const bytes = await readFile(path);
  const lines = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes)
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const files: SourceFile[] = [];
  for (const line of lines) files.push(...(await expand(line, kind, s3)));
  return files;
}

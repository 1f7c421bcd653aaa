import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { ShardError } from '../contracts/errors.ts';
import { isUrl } from '../storage/location.ts';
import type { SourceFile } from './source-file.ts';
import { withoutSecrets } from './source-name.ts';

/** Which crawl file a shard reads: recorded when the file gets its number, so without secrets. */
export const SourceWork = z.object({
  /** Relative to the run where it lies in it, so that a run may be moved; else an absolute path or a URL. */
  path: z.string(),
  /** Of the file when this was planned: a file whose folder was moved is known by its name and this. */
  digest: z.string(),
  /** True where the URL was given with a signature, which `path` lacks. */
  signed: z.literal(true).optional(),
});
export type SourceWork = z.output<typeof SourceWork>;

export function workOf({ path, digest }: SourceFile, runLocation: string): SourceWork {
  const plain = isUrl(path) ? withoutSecrets(path) : resolve(path);
  const relative = plain.startsWith(`${runLocation}/`) ? plain.slice(runLocation.length + 1) : plain;
  return { path: relative, digest, ...(isUrl(path) && plain !== path && { signed: true }) };
}

/** Where the file lies now. */
export function pathOf({ path }: SourceWork, runLocation: string): string {
  if (isUrl(path) || isAbsolute(path)) return path;
  return isUrl(runLocation) ? `${runLocation}/${path}` : join(runLocation, path);
}

/**
 * Where to read the file. The signature of a URL that was given with one is recorded nowhere: it stands in one of `files`, those that
 * the command names.
 */
export async function currentPath(work: SourceWork, runLocation: string, files: () => Promise<readonly SourceFile[]>): Promise<string> {
  if (!work.signed) return pathOf(work, runLocation);
  const signed = (await files()).find(({ path }) => withoutSecrets(path) === work.path);
  if (!signed) throw new ShardError(`${work.path} was given with a signature, and --input names it no more. Give the signed URL with --input again.`);
  return signed.path;
}

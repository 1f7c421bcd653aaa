import { ShardError } from '../contracts/errors.ts';
import type { S3Objects } from '../storage/s3-objects.ts';
import { listSources } from './list-sources.ts';
import type { SourceWork } from './number-sources.ts';
import type { SourceKind } from './source-file.ts';
import { withoutSecrets } from './source-name.ts';

/** Where to read a file whose URL was given with a signature: that is recorded nowhere and stands in `--input`. */
export async function currentPath(work: SourceWork, input: string, kind: SourceKind, s3: S3Objects): Promise<string> {
  const signed = (await listSources(input, kind, s3)).find(({ path }) => withoutSecrets(path) === work.path);
  if (!signed) throw new ShardError(`${work.path} was given with a signature, and --input names it no more. Give the signed URL with --input again.`);
  return signed.path;
}

import { open } from 'node:fs/promises';
import { UsageError } from '../../contracts/errors.ts';
import { foreignFile } from '../../formats/foreign-file.ts';
import type { SourceFile } from '../../sources/source-file.ts';
import { isUrl } from '../../storage/location.ts';

const HEAD_BYTES = 65_536;
/** Files that are looked into before the first shard: where those are right, the others of the input are too. */
const MAX_CHECKED = 200;

/** Throws UsageError where a local file is something else than a WAT or WARC, by its first bytes. */
export async function assertCrawlFiles(files: readonly SourceFile[]): Promise<void> {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  for (const { path } of files.filter((file) => !isUrl(file.path)).slice(0, MAX_CHECKED)) {
    const file = await open(path);
    let bytes: number;
    try {
      bytes = (await file.read(head, 0, HEAD_BYTES, 0)).bytesRead;
    } finally {
      await file.close();
    }
    const foreign = foreignFile(head.subarray(0, bytes));
    if (foreign !== undefined) throw new UsageError(`${path} is ${foreign}. extract reads WAT and WARC files: name those alone with --input.`);
  }
}

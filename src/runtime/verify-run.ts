import { rm } from 'node:fs/promises';
import type { ShardStats } from '../contracts/shard-stats.ts';
import { checksum } from '../storage/shard-files.ts';
import type { Storage } from '../contracts/storage.ts';
import { SEALED } from './dataset-reader.ts';
import { markerName, readMarkers } from './marker.ts';
import { isOurs } from './shard-verdict.ts';

/** Something that is not as the markers say. `file` is relative to the dataset. */
export interface Finding {
  dataset: string;
  kind: 'damaged' | 'missing' | 'foreign' | 'removed' | 'left over';
  shard?: string;
  file?: string;
  what: string;
}

/** Names of ours beside the shards: they follow from them, or lead to them. */
const OURS = /^_|(?:^|\/)(?:run\.json|summary\.json|\.lock.*)$|^(?:rejects|\.scratch|postgres)\//;

/**
 * Compares a dataset with its markers: size and sha256 of every file, and files that belong to no shard. Reads every byte. `scratch` is a
 * local folder for copies of remote files.
 */
export async function* verifyDataset(dataset: string, storage: Storage, scratch: string, signal: AbortSignal): AsyncGenerator<Finding | { verified: number }> {
  const known = new Set<string>([SEALED]);
  for (const [shard, marker] of await readMarkers(storage)) {
    known.add(markerName(shard));
    if (!isOurs(marker)) {
      yield { dataset, kind: 'foreign', shard, what: 'its marker was written by another tool or an earlier version' };
      continue;
    }
    for (const { name } of marker.files) known.add(name);
    if (marker.removed !== undefined) {
      yield { dataset, kind: 'removed', shard, what: 'its files were removed after everything that reads them was finished (--keep)' };
      continue;
    }
    for (const file of marker.files) {
      signal.throwIfAborted();
      const finding = await verifyFile(storage, file, scratch, signal);
      if (finding) yield { dataset, shard, file: file.name, ...finding };
      else yield { verified: file.bytes };
    }
  }
  for await (const { name } of storage.listDeep('')) {
    if (!known.has(name) && !OURS.test(name)) yield { dataset, kind: 'left over', file: name, what: 'it belongs to no finished shard' };
  }
}

async function verifyFile(
  storage: Storage,
  file: ShardStats['files'][number],
  scratch: string,
  signal: AbortSignal,
): Promise<Pick<Finding, 'kind' | 'what'> | undefined> {
  const size = await storage.size(file.name);
  if (size === undefined) return { kind: 'missing', what: 'the file is missing' };
  if (size !== file.bytes) return { kind: 'damaged', what: `it has ${size} bytes, and ${file.bytes} were written` };
  const path = await storage.fetch(file.name, scratch, signal);
  const { sha256 } = await checksum(path);
  if (storage.remote) await rm(path, { force: true });
  return sha256 === file.sha256 ? undefined : { kind: 'damaged', what: 'its sha256 is another than when it was written' };
}

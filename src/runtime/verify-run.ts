import { rm } from 'node:fs/promises';
import { partOfInput, type RowRange } from '../contracts/part-of-input.ts';
import type { ShardStats } from '../contracts/shard-stats.ts';
import type { ShardInput } from '../contracts/stage.ts';
import { wholeInput } from '../contracts/whole-input.ts';
import { checksum } from '../storage/checksum.ts';
import type { Storage } from '../contracts/storage.ts';
import { publishedShard } from './dataset-state.ts';
import { isOurs, type Marker, markerName, readMarkers } from './marker.ts';
import { readRecordedWork } from './recorded-work.ts';
import { readSeal, SEALED } from './seal.ts';
import { allBefore } from './shard-digest.ts';

/** Something that is not as the markers say. `file` is relative to the dataset. */
export interface Finding {
  dataset: string;
  kind: 'damaged' | 'missing' | 'stale' | 'foreign' | 'removed' | 'left over';
  shard?: string;
  file?: string;
  what: string;
  /** Of a file: that it is missing or has another size, which every command sees. */
  plain?: true;
}

type Markers = ReadonlyMap<string, Marker>;

/** Names of ours beside the shards: they follow from them, or lead to them. */
const OURS = /^_|(?:^|\/)(?:run\.json|summary\.json|\.lock.*)$|^(?:rejects|\.scratch|postgres)\//;

/**
 * Compares the datasets of a run with their markers: size and sha256 of every file, files that belong to no shard, and the digests of
 * what each shard was made from with what is there now. Reads every byte. Files from outside the run are not looked at. `scratch` is
 * a local folder for copies of remote files.
 */
export async function* verifyRun(
  datasets: Readonly<Record<string, Storage>>,
  scratch: string,
  signal: AbortSignal,
): AsyncGenerator<Finding | { verified: number }> {
  const markers = new Map<string, Markers>();
  for (const [dataset, storage] of Object.entries(datasets)) markers.set(dataset, await readMarkers(storage));
  const digests = digestsOf(markers);
  for (const [dataset, storage] of Object.entries(datasets)) yield* verifyDataset(dataset, storage, markers.get(dataset)!, digests, scratch, signal);
}

async function* verifyDataset(
  dataset: string,
  storage: Storage,
  markers: Markers,
  digests: ReadonlyMap<string, string | undefined>,
  scratch: string,
  signal: AbortSignal,
): AsyncGenerator<Finding | { verified: number }> {
  const known = new Set<string>([SEALED]);
  const recorded = await readRecordedWork(storage);
  for (const shard of Object.keys((await readSeal(storage))?.shards ?? {}))
    if (!markers.has(shard)) yield { dataset, kind: 'missing', shard, what: `${SEALED} names it, and its marker is missing` };
  for (const [shard, marker] of markers) {
    known.add(markerName(shard));
    if (!isOurs(marker)) {
      yield { dataset, kind: 'foreign', shard, what: 'its marker was written by another tool or an earlier version' };
      continue;
    }
    for (const { name } of marker.files) known.add(name);
    for (const what of staleInputs(marker, digests, recorded.get(shard))) yield { dataset, kind: 'stale', shard, what };
    const { removed, kept, files } = marker;
    if (removed !== undefined) {
      const what = kept ? 'its tar was never on the disk (--fused)' : 'its files were removed after everything that reads them was finished (--keep)';
      yield { dataset, kind: 'removed', shard, what };
    }
    for (const file of removed === undefined ? files : files.filter(({ name }) => kept?.includes(name))) {
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

/** What every shard and dataset of the run has as an input of another shard now; undefined where that can't be known from markers. */
function digestsOf(markers: ReadonlyMap<string, Markers>): Map<string, string | undefined> {
  const digests = new Map<string, string | undefined>();
  for (const [dataset, all] of markers) {
    for (const [shard, marker] of all) {
      digests.set(`${dataset}/${shard}`, isOurs(marker) ? marker.digest : undefined);
      digests.set(allBefore(dataset, shard), isOurs(marker) ? (marker.lineage ?? marker.digest) : undefined);
    }
    const ours = [...all.values()].filter(isOurs);
    const shards = ours.filter(({ skipped }) => !skipped).map(publishedShard);
    digests.set(dataset, ours.length === all.size ? wholeInput(dataset, { shards, sealed: true }).digest : undefined);
  }
  return digests;
}

/** Which of a shard's inputs, of those that lie in the run, are other ones now. `work`: the recorded one, which may say that it is made from a part. */
function staleInputs({ made_by }: ShardStats, digests: ReadonlyMap<string, string | undefined>, work: unknown): string[] {
  const found: string[] = [];
  for (const [name, digest] of Object.entries(made_by.inputs)) {
    const dataset = /^([a-z]+)\/\d+/.exec(name)?.[1];
    if (!digests.has(name) && dataset !== undefined && digests.has(dataset)) found.push(`it was made from ${name}, which is not there any more`);
    else if (!isFresh({ name, digest }, digests.get(name), work)) found.push(`it was made from ${name}, which has changed since`);
  }
  return found;
}

function isFresh(made: ShardInput, now: string | undefined, work: unknown): boolean {
  if (now === undefined || now === made.digest) return true;
  return isRowRange(work) && partOfInput({ name: made.name, digest: now }, work).digest === made.digest;
}

function isRowRange(work: unknown): work is RowRange {
  const { start, end } = (work ?? {}) as Partial<Record<keyof RowRange, unknown>>;
  return typeof start === 'number' && typeof end === 'number';
}

async function verifyFile(
  storage: Storage,
  file: ShardStats['files'][number],
  scratch: string,
  signal: AbortSignal,
): Promise<Pick<Finding, 'kind' | 'what' | 'plain'> | undefined> {
  const size = await storage.size(file.name);
  if (size === undefined) return { kind: 'missing', what: 'the file is missing', plain: true };
  if (size !== file.bytes) return { kind: 'damaged', what: `it has ${size} bytes, and ${file.bytes} were written`, plain: true };
  const path = await storage.fetch(file.name, scratch, signal);
  const { sha256 } = await checksum(path);
  if (storage.remote) await rm(path, { force: true });
  return sha256 === file.sha256 ? undefined : { kind: 'damaged', what: 'its sha256 is another than when it was written' };
}

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../contracts/errors.ts';
import { BloomFilter } from './bloom-filter.ts';
import { mergeFilter, readFilterHeader, writeFilter } from './filter-file.ts';
import { journalPath, KEY_BYTES, replayJournal } from './filter-journal.ts';
import { sizeOfPartition } from './filter-memory.ts';
import { filterBytes, type FilterSize } from './filter-size.ts';
import type { DedupOptions } from './options.ts';
import type { ShardPlace } from './shard-place.ts';

/**
 * The filter between shards. On disk it is a snapshot (`_filter/filter-P.bloom`) and, for each shard since, a journal
 * of the keys that it kept (`_filter/NNNNN.keys`, 16 bytes a key): what a shard keeps is all that it adds. A journal
 * is published with the shard's links, so after a kill at any point the state before a shard is what it was.
 */
export interface FilterState {
  filter: BloomFilter;
  /** Keys in it. */
  items: number;
  /** Bytes of journals since the last snapshot. */
  unsaved: number;
}

/** A snapshot is due when the journals since the last one have this many bytes, or a quarter of the filter's. */
const LEAST_UNSAVED = 64 * 1_048_576;

function snapshotPath(output: string, partition: number): string {
  return join(output, '_filter', `filter-${partition}.bloom`);
}

/** The state in memory between two shards that this thread runs one after the other. */
let kept: { output: string; after: string; state: FilterState } | undefined;

/** The state before a shard: what this thread has kept where that is it, else read from disk. */
export async function stateBefore(shard: string, place: ShardPlace, output: string, options: DedupOptions): Promise<FilterState> {
  const ready = kept;
  // While the shard runs the filter changes; if it fails, it is read again.
  kept = undefined;
  return ready?.output === output && ready.after === place.before ? ready.state : readState(shard, place, output, options);
}

/** Keeps the state for the shard that follows. */
export function keepState(place: ShardPlace, output: string, state: FilterState): void {
  kept = { output, after: place.after, state };
}

export function forgetState(): void {
  kept = undefined;
}

/** Reads the snapshot and the journals of the shards of the partition before `end` (not included). */
async function readState(end: string, place: ShardPlace, output: string, options: DedupOptions): Promise<FilterState> {
  const path = snapshotPath(output, place.partition);
  const found = await readFilterHeader(path);
  // A snapshot that is ahead is of an earlier making of these shards.
  if (found && found.after >= end) await rm(path);
  const size = sizeOfPartition(options);
  const usable = found && found.after >= place.first && found.after < end && found.blocks === size.blocks && found.hashes === size.hashes;
  const snapshot = usable ? found : undefined;
  const state = snapshot ? await snapshotState(path, snapshot.items, size) : await startingState(place, options, size);
  for (const shard of await journals(output)) {
    if (shard < place.first || shard >= end || (snapshot && shard <= snapshot.after)) continue;
    await replay(journalPath(output, shard), state);
  }
  return state;
}

async function snapshotState(path: string, items: number, size: FilterSize): Promise<FilterState> {
  const filter = new BloomFilter(size);
  await mergeFilter(path, filter);
  return { filter, items, unsaved: 0 };
}

/** The empty filter, or the merged filters of other runs. */
async function startingState(place: ShardPlace, options: DedupOptions, size: FilterSize): Promise<FilterState> {
  const state: FilterState = { filter: new BloomFilter(size), items: 0, unsaved: 0 };
  for (const path of options.filter) {
    const header = await readFilterHeader(path);
    if (header?.partition !== place.partition) continue;
    await mergeFilter(path, state.filter);
    state.items += header.items;
  }
  return state;
}

async function journals(output: string): Promise<string[]> {
  try {
    return (await readdir(join(output, '_filter')))
      .filter((name) => /^\d+\.keys$/.test(name))
      .map((name) => name.slice(0, -'.keys'.length))
      .sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

async function replay(path: string, state: FilterState): Promise<void> {
  const keys = await replayJournal(path, (key) => state.filter.add(key));
  state.items += keys;
  state.unsaved += keys * KEY_BYTES;
}

/** Writes a snapshot where one is due, or where `always` says so. */
export async function saveState(shard: string, place: ShardPlace, output: string, options: DedupOptions, always: boolean): Promise<void> {
  const path = snapshotPath(output, place.partition);
  const inMemory = kept?.output === output && kept.after === place.after ? kept.state : undefined;
  if (!always && (!inMemory || inMemory.unsaved < Math.max(LEAST_UNSAVED, filterBytes(inMemory.filter.size) / 4))) return;
  if (!inMemory && (await readFilterHeader(path))?.after === shard) return;
  // After a kill between the last shard's marker and its snapshot.
  const state = inMemory ?? (await readState(`${shard}\uffff`, place, output, options));
  await writeFilter(path, { key: options.dedupKey, partition: place.partition, partitions: place.partitions, items: state.items, after: shard }, state.filter);
  state.unsaved = 0;
}

import type { Dataset } from '../../contracts/dataset.ts';
import { UsageError } from '../../contracts/errors.ts';
import type { RunContext } from '../../contracts/stage.ts';
import { finishedLane, type LanePosition, positionAfter } from './bloom-chain.ts';
import { type BloomHeader, mergeBloom, readBloomHeader, writeBloom } from './bloom-file.ts';
import { BloomFilter } from './bloom-filter.ts';
import { journalName, KEY_BYTES, replayJournal } from './bloom-journal.ts';
import { sizeOfPartition } from './bloom-memory.ts';
import { bloomBytes, type BloomSize } from './bloom-size.ts';
import type { DedupOptions } from './options.ts';

/**
 * The bloom filter of a lane between shards. On disk it is a snapshot (`_bloom/bloom-P.bloom`) and, for each shard since, a journal
 * of the keys that it kept (`_bloom/NNNNN.keys`, 16 bytes a key): what a shard keeps is all that it adds. A journal is a file of its
 * shard, so after a kill at any point the state before a shard is what it was.
 */
export interface BloomState {
  filter: BloomFilter;
  /** Keys in it. */
  items: number;
  /** Bytes of journals since the last snapshot. */
  unsaved: number;
  position: LanePosition;
}

/** A partition of the links that are written. */
export interface Lane {
  own: Dataset;
  options: DedupOptions;
  partition: number;
  scratch: string;
}

/** A snapshot is due when the journals since the last one have this many bytes, or a quarter of the bloom filter's. */
const MIN_UNSAVED = 64 * 1_048_576;

export function laneIn({ own, options, scratch }: RunContext<DedupOptions>, partition: number): Lane {
  return { own, options, partition, scratch };
}

export function isSnapshotDue({ filter, unsaved }: BloomState): boolean {
  return unsaved >= Math.max(MIN_UNSAVED, bloomBytes(filter.size) / 4);
}

function snapshotName({ partition }: Lane): string {
  return `_bloom/bloom-${partition}.bloom`;
}

/** Reads the state at a position from the snapshot and the journals since. */
export async function readState(lane: Lane, position: LanePosition): Promise<BloomState> {
  const size = sizeOfPartition(lane.options);
  if (position.after === undefined) return startingState(lane, size, position);
  const names = (await finishedLane(lane.own, { ...lane, partitions: lane.options.partitions })).filter((name) => Number(name) <= Number(position.after));
  const snapshot = await usableSnapshot(lane, names, size);
  const state = snapshot ? await snapshotState(snapshot.path, snapshot.header, size, position) : await startingState(lane, size, position);
  for (const shard of names.slice(snapshot ? names.indexOf(snapshot.header.after) + 1 : 0)) {
    const keys = await replayJournal(await lane.own.fetch(journalName(shard)), (key) => state.filter.add(key));
    state.items += keys;
    state.unsaved += keys * KEY_BYTES;
  }
  return state;
}

/** The empty bloom filter, or the merged ones of other runs. */
async function startingState({ options, partition }: Lane, size: BloomSize, position: LanePosition): Promise<BloomState> {
  const state: BloomState = { filter: new BloomFilter(size), items: 0, unsaved: 0, position };
  for (const path of options.bloom) {
    const header = await readBloomHeader(path);
    if (header?.partition !== partition) continue;
    await mergeBloom(path, state.filter);
    state.items += header.items;
  }
  return state;
}

async function snapshotState(path: string, { items }: BloomHeader, size: BloomSize, position: LanePosition): Promise<BloomState> {
  const filter = new BloomFilter(size);
  await mergeBloom(path, filter);
  return { filter, items, unsaved: 0, position };
}

/**
 * The snapshot of a lane where it holds the keys of shards that are finished before the position (`names`), and just these. One that
 * holds others than the shards that it claims is of another making of the lane, and removed.
 */
async function usableSnapshot(lane: Lane, names: readonly string[], size: BloomSize): Promise<{ path: string; header: BloomHeader } | undefined> {
  const found = await readSnapshot(lane);
  if (!found) return undefined;
  const { after, chain, blocks, hashes } = found.header;
  const fits = blocks === size.blocks && hashes === size.hashes && (await positionAfter(after, lane.own))?.chain === chain;
  if (!fits) await lane.own.storage.remove(snapshotName(lane));
  return fits && names.includes(after) ? found : undefined;
}

/** The snapshot of a lane; undefined where there is none, or none that can be read. */
async function readSnapshot(lane: Lane): Promise<{ path: string; header: BloomHeader } | undefined> {
  const { own } = lane;
  if ((await own.storage.size(snapshotName(lane))) === undefined) return undefined;
  const path = await own.fetch(snapshotName(lane));
  try {
    const header = await readBloomHeader(path);
    return header && { path, header };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    await own.storage.remove(snapshotName(lane));
    return undefined;
  }
}

/** Whether the snapshot of a lane is that of a position. */
export async function isSaved(lane: Lane, { after, chain }: LanePosition): Promise<boolean> {
  const found = await readSnapshot(lane);
  const size = sizeOfPartition(lane.options);
  return found?.header.after === after && found?.header.chain === chain && found.header.blocks === size.blocks && found.header.hashes === size.hashes;
}

/** Writes the snapshot of a state whose shards are all finished. */
export async function saveState(lane: Lane, state: BloomState): Promise<void> {
  const { own, options, partition, scratch } = lane;
  const { after, chain } = state.position;
  if (after === undefined) return;
  const temporary = await own.storage.temporary(snapshotName(lane), scratch);
  await writeBloom(temporary, { key: options.dedupKey, partition, partitions: options.partitions, items: state.items, after, chain }, state.filter);
  await own.storage.publish(temporary, snapshotName(lane));
  state.unsaved = 0;
}

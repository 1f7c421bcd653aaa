import { ShardError } from '../contracts/errors.ts';
import { ShardStats } from '../contracts/shard-stats.ts';
import type { Storage } from '../contracts/storage.ts';
import { byNumber } from './by-number.ts';

/** The completion marker of a shard: `NNNNN_stats.json` beside its files, written last. */
export type Marker = ShardStats | ForeignMarker;

/** A marker that another tool, or an earlier version, wrote. */
export interface ForeignMarker {
  readonly foreign: Readonly<Record<string, unknown>>;
}

export function isOurs(marker: Marker): marker is ShardStats {
  return !('foreign' in marker);
}

const MARKER = /^(\d+)_stats\.json$/;
/** Markers that are read at a time. */
const CONCURRENCY = 64;

export function markerName(shard: string): string {
  return `${shard}_stats.json`;
}

/** The marker of a shard: undefined where the shard is not finished. Throws ShardError where it is no JSON: it was written whole. */
export async function readMarker(storage: Storage, shard: string): Promise<Marker | undefined> {
  const text = await storage.readText(markerName(shard));
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ShardError(`${storage.location}/${markerName(shard)} is no JSON. Remove it to make the shard again.`);
  }
  const parsed = ShardStats.safeParse(value);
  if (parsed.success) return parsed.data;
  return { foreign: typeof value === 'object' && value !== null ? { ...value } : {} };
}

export async function writeMarker(storage: Storage, stats: ShardStats): Promise<void> {
  await storage.writeText(markerName(stats.shard), `${JSON.stringify(stats, null, 2)}\n`);
}

/** All markers of a dataset by shard name, in the order of their numbers. */
export async function readMarkers(storage: Storage): Promise<Map<string, Marker>> {
  const names = (await storage.list('')).flatMap(({ name }) => MARKER.exec(name)?.[1] ?? []).sort(byNumber);
  const markers = new Map<string, Marker>();
  for (let start = 0; start < names.length; start += CONCURRENCY) {
    const group = names.slice(start, start + CONCURRENCY);
    const read = await Promise.all(group.map((name) => readMarker(storage, name)));
    for (const [i, marker] of read.entries()) if (marker) markers.set(group[i]!, marker);
  }
  return markers;
}

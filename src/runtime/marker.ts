import { createHash } from 'node:crypto';
import { ShardError } from '../contracts/errors.ts';
import { type MadeBy, type ShardFile, ShardStats } from '../contracts/shard-stats.ts';
import type { Storage } from '../contracts/storage.ts';
import { kebabCase, stableJson } from './stable-json.ts';

/** The completion marker of a shard: `NNNNN_stats.json` beside its files, written last. */

const MARKER = /^(\d+)_stats\.json$/;
/** Markers that are read at a time. */
const CONCURRENCY = 64;

export function markerName(shard: string): string {
  return `${shard}_stats.json`;
}

/**
 * The marker of a shard: undefined where the shard is not finished, `foreign` where another tool (or an earlier version) wrote it.
 * Throws ShardError where it is no JSON: it was written whole.
 */
export async function readMarker(storage: Storage, shard: string): Promise<ShardStats | { foreign: Record<string, unknown> } | undefined> {
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
export async function readMarkers(storage: Storage): Promise<Map<string, ShardStats | { foreign: Record<string, unknown> }>> {
  const names = (await storage.list('')).flatMap(({ name }) => MARKER.exec(name)?.[1] ?? []).sort(byNumber);
  const markers = new Map<string, ShardStats | { foreign: Record<string, unknown> }>();
  for (let start = 0; start < names.length; start += CONCURRENCY) {
    const group = names.slice(start, start + CONCURRENCY);
    const read = await Promise.all(group.map((name) => readMarker(storage, name)));
    for (const [i, marker] of read.entries()) if (marker) markers.set(group[i]!, marker);
  }
  return markers;
}

/** Shard names by number: five digits and six stand in one order. */
export function byNumber(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** The name under which a shard's lineage is an input of the shard after it. */
export function allBefore(dataset: string, shard: string): string {
  return `${dataset}/${shard} and all before it`;
}

/** What a shard is known by: its files, or where it has none, what it was made from. */
export function digestOf(files: readonly ShardFile[], inputs: Readonly<Record<string, string>>): string {
  return sha256(stableJson(files.length > 0 ? files.map(({ name, sha256 }) => [name, sha256]) : inputs));
}

/** What stands for a shard and all before it on which it depends. */
export function lineageOf(before: readonly string[], digest: string): string {
  return sha256(stableJson([...before, digest]));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Says in words what differs between two makings, options and inputs apart: `--min-bytes was 5000, is 100`. `changes`: of the format, by version. */
export function differences(before: MadeBy, now: MadeBy, changes: Readonly<Record<number, string>> = {}): { options: string[]; inputs: string[] } {
  const options: string[] = [];
  const inputs: string[] = [];
  if (before.format !== now.format) {
    const since = Object.entries(changes).flatMap(([version, what]) => (Number(version) > before.format ? [`since ${version}, ${what}`] : []));
    options.push(`the format was version ${before.format}, is ${now.format}${since.length > 0 ? ` (${since.join('; ')})` : ''}`);
  }
  compare(before.options, now.options, (key, was, is) => options.push(`--${kebabCase(key)} was ${was}, is ${is}`));
  compare(before.models, now.models, (key, was, is) => options.push(`${key.startsWith('blocklist ') ? key : `model file ${key}`} was ${was}, is ${is}`));
  compare(before.inputs, now.inputs, (key, was, is) =>
    inputs.push(was === 'nothing' ? `${key} is new` : is === 'nothing' ? `${key} is gone` : `${key} has changed`),
  );
  return { options, inputs };
}

function compare(a: Record<string, unknown>, b: Record<string, unknown>, differs: (key: string, was: string, is: string) => void): void {
  for (const key of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
    const [was, is] = [stableJson(a[key]), stableJson(b[key])];
    if (was !== is) differs(key, was, is);
  }
}

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ShardError, systemCode } from '../contracts/errors.ts';
import { type MadeBy, ShardStats } from '../contracts/shard-stats.ts';
import { replaceFile } from './publication.ts';

/** The completion marker of a shard: `NNNNN_stats.json` beside its files, written last. */

const SUFFIX = '_stats.json';

export function markerPath(folder: string, shard: string): string {
  return join(folder, shard + SUFFIX);
}

/** The marker, or undefined where the shard is not finished. A marker that does not parse is an error: it was written whole. */
export async function readMarker(folder: string, shard: string): Promise<ShardStats | undefined> {
  const path = markerPath(folder, shard);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const parsed = ShardStats.safeParse(parseJson(text));
  if (!parsed.success) throw new ShardError(`${path} is not a marker that this version reads. Remove it to make the shard again.`);
  return parsed.data;
}

export async function writeMarker(folder: string, stats: ShardStats): Promise<void> {
  await replaceFile(markerPath(folder, stats.shard), `${JSON.stringify(stats, null, 2)}\n`);
}

/** All markers of a folder, by shard name; empty where the folder is absent. */
export async function publishedShards(folder: string): Promise<ShardStats[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
  const shards = names.filter((name) => /^\d+_stats\.json$/.test(name)).map((name) => name.slice(0, -SUFFIX.length));
  const markers = await Promise.all(shards.sort().map((shard) => readMarker(folder, shard)));
  return markers.filter((marker) => marker !== undefined);
}

/** sha256 over what made a shard, keys sorted. */
export function fingerprintOf(madeBy: MadeBy): string {
  return createHash('sha256').update(stableJson(madeBy)).digest('hex');
}

/** Says in words what differs between two makers: `--min-bytes was 5000, is 100`. */
export function differences(before: MadeBy, now: MadeBy): string[] {
  const lines: string[] = [];
  if (before.format !== now.format) lines.push(`the format was version ${before.format}, is ${now.format}`);
  const compare = (a: Record<string, unknown>, b: Record<string, unknown>, name: (key: string) => string): void => {
    for (const key of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
      const [was, is] = [stableJson(a[key]), stableJson(b[key])];
      if (was !== is) lines.push(`${name(key)} was ${was}, is ${is}`);
    }
  };
  compare(before.options, now.options, (key) => `--${kebabCase(key)}`);
  compare(before.models, now.models, (key) => `model file ${key}`);
  compare(before.inputs, now.inputs, (key) => `input ${key}`);
  return lines;
}

export function kebabCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** JSON with sorted keys; `nothing` for undefined; bigint as a decimal string. */
export function stableJson(value: unknown): string {
  if (value === undefined) return 'nothing';
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return inner.toString();
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

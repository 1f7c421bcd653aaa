import { ShardError } from '../contracts/errors.ts';
import type { ShardStats } from '../contracts/shard-stats.ts';
import type { Storage } from '../contracts/storage.ts';
import { isOurs, readMarker, readMarkers, writeMarker } from './marker.ts';
import type { Finding } from './verify-run.ts';

/** A finished shard whose files do not fit its marker. */
export interface DamagedShard {
  readonly dataset: string;
  readonly marker: ShardStats;
  /** Of its first damaged file. */
  readonly what: string;
  /** True where every command sees it by the sizes; else only the checksums tell. */
  readonly plain: boolean;
}

/** The shards that findings of files name. */
export async function damagedShards(datasets: Readonly<Record<string, Storage>>, findings: readonly Finding[]): Promise<DamagedShard[]> {
  const byShard = Map.groupBy(
    findings.filter(({ kind, shard, file }) => (kind === 'damaged' || kind === 'missing') && shard !== undefined && file !== undefined),
    ({ dataset, shard }) => `${dataset}/${shard}`,
  );
  const shards: DamagedShard[] = [];
  for (const found of byShard.values()) {
    const { dataset, shard, file, what } = found[0]!;
    const marker = await readMarker(datasets[dataset]!, shard!);
    if (!marker || !isOurs(marker)) throw new ShardError(`The marker of ${dataset}/${shard} has changed meanwhile. Start the same command again.`);
    shards.push({ dataset, marker, what: `${file}: ${what}`, plain: found.some(({ plain }) => plain) });
  }
  return shards;
}

/** Writes into its marker that the shard is damaged: the next command makes it again as it makes again what has another size. The caller holds the run's lock. */
export async function markDamaged(storage: Storage, { marker, what }: DamagedShard): Promise<void> {
  await writeMarker(storage, { ...marker, damaged: what });
}

/** Takes the mark away from shards that are whole again, as where a file was put back. Returns their names. */
export async function unmarkWhole(storage: Storage, isDamaged: (shard: string) => boolean): Promise<string[]> {
  const whole: string[] = [];
  for (const marker of (await readMarkers(storage)).values()) {
    if (!isOurs(marker) || marker.damaged === undefined || isDamaged(marker.shard)) continue;
    const { damaged: _, ...rest } = marker;
    await writeMarker(storage, rest);
    whole.push(marker.shard);
  }
  return whole;
}

import type { DatasetInput, DatasetState, PublishedShard } from '../contracts/dataset.ts';
import type { ShardStats } from '../contracts/shard-stats.ts';
import type { Storage } from '../contracts/storage.ts';
import { byNumber } from './by-number.ts';
import { isOurs, readMarkers } from './marker.ts';
import { readSeal } from './seal.ts';

/** A shard as plans see it, from its marker. */
export function publishedShard(marker: ShardStats): PublishedShard {
  return {
    name: marker.shard,
    digest: marker.digest,
    lineage: marker.lineage,
    out: marker.out,
    dropped: marker.dropped,
    files: marker.files.map(({ name }) => name),
    madeBy: { options: marker.made_by.options, models: marker.made_by.models },
    madeOf: marker.made_by.inputs,
    ...(marker.accepted_from && { acceptedFrom: { options: marker.accepted_from.options, models: marker.accepted_from.models } }),
    ...(marker.removed !== undefined && { removed: true, kept: marker.kept }),
    ...(marker.damaged !== undefined && { damaged: marker.damaged }),
  };
}

/**
 * What lies in a dataset: shards with our markers; those of another tool, by their markers (img2dataset's) and the files that
 * `unmarked` recognises; and where there is no marker at all (or none that counts), whatever it recognises.
 */
export async function readDatasetState(
  storage: Storage,
  { unmarked, foreignUnmarked = false }: Pick<DatasetInput, 'unmarked' | 'foreignUnmarked'> = {},
  counts: (marker: ShardStats) => boolean = () => true,
): Promise<DatasetState> {
  const markers = await readMarkers(storage);
  const shards: PublishedShard[] = [];
  for (const marker of markers.values()) if (isOurs(marker) && !marker.skipped && counts(marker)) shards.push(publishedShard(marker));
  const foreign = [...markers].filter(([, marker]) => !isOurs(marker));
  const anyFile = markers.size === foreign.length && (markers.size === 0 || foreignUnmarked);
  if (unmarked && (anyFile || foreign.length > 0))
    for (const pattern of [unmarked].flat()) {
      const found = await unmarkedShards(storage, pattern, new Map(foreign), anyFile);
      shards.push(...found);
      if (found.length > 0) break;
    }
  shards.sort((a, b) => byNumber(a.name, b.name));
  const seal = await readSeal(storage);
  const skipped = [...markers.values()].flatMap((marker) => (isOurs(marker) && marker.skipped ? [marker.shard] : []));
  return { shards, skipped, sealed: seal !== undefined, record: seal?.record };
}

/** Shards that are known by their files alone. Files of one shard are those of which the pattern gives one name. */
async function unmarkedShards(storage: Storage, pattern: RegExp, markers: Map<string, unknown>, anyFile: boolean): Promise<PublishedShard[]> {
  const found = new Map<string, { name: string; bytes: number }[]>();
  for await (const { name, bytes } of storage.listDeep('')) {
    const shard = pattern.exec(name)?.[1];
    if (shard === undefined || (!anyFile && !markers.has(shard))) continue;
    found.set(shard, [...(found.get(shard) ?? []), { name, bytes }]);
  }
  return [...found].map(([name, files]) => {
    files.sort((a, b) => (a.name < b.name ? -1 : 1));
    const marker = (markers.get(name) as { foreign: Record<string, unknown> } | undefined)?.foreign;
    const counted = marker?.['out'] ?? marker?.['successes'];
    return {
      name,
      digest: files.map((file) => `${file.name} of ${file.bytes} bytes`).join(', '),
      files: files.map((file) => file.name),
      ...(typeof counted === 'number' && { out: counted }),
    };
  });
}

import { z } from 'zod';
import type { DatasetState, PublishedShard } from '../../contracts/dataset.ts';
import { nextShardNumber, shardName } from '../../contracts/sample-key.ts';
import type { Plan, PlanContext } from '../../contracts/stage.ts';
import { assertTars } from '../../formats/sample-shard.ts';
import type { EmbedOptions } from './options.ts';

/** The pairs shards of a part, in the order of their numbers. */
export const PartWork = z.object({ shards: z.array(z.string()) });
export type PartWork = z.output<typeof PartWork>;

/** Samples of a shard whose number no marker says: img2dataset's default. */
const USUAL_SAMPLES = 10_000;

/**
 * The parts of `embeddings/`: each a run of consecutive pairs shards, closed when it has reached its size or when pairs/ is
 * sealed. Only closed parts are planned, and parts once recorded keep their shards: so they do not depend on when a shard came.
 * Names have five digits or more.
 */
export function planParts({ options, datasets, recorded }: Pick<PlanContext<EmbedOptions, PartWork>, 'options' | 'datasets' | 'recorded'>): Plan<PartWork> {
  const pairs = datasets['pairs']!;
  assertTars(pairs, 'embed', 'parquet');
  const byName = new Map(pairs.shards.map((shard) => [shard.name, shard]));
  const parts: { name: string; shards: PublishedShard[] }[] = [];
  for (const [name, work] of [...recorded].sort(([a], [b]) => Number(a) - Number(b))) {
    const shards = work.shards.flatMap((shard) => byName.get(shard) ?? []);
    // A missing shard may only be on its way (made again): not until pairs/ is sealed is it known to be gone.
    if (shards.length === work.shards.length || (pairs.sealed && shards.length > 0)) parts.push({ name, shards });
  }
  const first = nextShardNumber(recorded.keys());
  const taken = new Set([...recorded.values()].flatMap(({ shards }) => shards));
  for (const [i, shards] of closedRuns(pairs, taken, options).entries()) parts.push({ name: shardName(first + i), shards });
  return {
    shards: parts.map(({ name, shards }) => ({
      name,
      work: { shards: shards.map((shard) => shard.name) },
      inputs: shards.map((shard) => ({ name: `pairs/${shard.name}`, digest: shard.digest })),
    })),
    complete: pairs.sealed,
  };
}

/** The shards that belong to no part yet, cut into runs; without the last while it is open. */
function closedRuns({ shards, sealed }: DatasetState, taken: ReadonlySet<string>, options: EmbedOptions): PublishedShard[][] {
  const { shardsPerPart, writeBatchSize } = options;
  const runs: PublishedShard[][] = [];
  let open: PublishedShard[] = [];
  let samples = 0;
  for (const shard of sealed ? shards : withoutGap(shards, taken)) {
    if (taken.has(shard.name)) continue;
    open.push(shard);
    samples += shard.out ?? USUAL_SAMPLES;
    if (shardsPerPart === undefined ? samples < writeBatchSize : open.length < shardsPerPart) continue;
    runs.push(open);
    open = [];
    samples = 0;
  }
  if (sealed && open.length > 0) runs.push(open);
  return runs;
}

/** The shards from number 0 on up to the first that is not there: it may yet come, and then it belongs to the open part. */
function withoutGap(shards: readonly PublishedShard[], taken: ReadonlySet<string>): PublishedShard[] {
  const numbers = new Set([...taken].map(Number));
  const run: PublishedShard[] = [];
  let next = 0;
  for (const shard of shards) {
    while (numbers.has(next)) next++;
    const number = Number(shard.name);
    if (number > next) break;
    if (number === next) next++;
    run.push(shard);
  }
  return run;
}

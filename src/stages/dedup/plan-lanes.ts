import { z } from 'zod';
import { type DatasetState, shardsInRow } from '../../contracts/dataset.ts';
import { shardName } from '../../contracts/sample-key.ts';
import type { Plan, Shard } from '../../contracts/stage.ts';

/** Which links of which candidates a shard goes over. */
export const DedupWork = z.object({
  partition: z.int(),
  partitions: z.int(),
  /** Name of the shard of candidates. */
  input: z.string(),
  /** sha256 of the bloom files of other runs from which the partition starts, sorted. */
  blooms: z.array(z.string()),
  /** True where another partition waits for the memory of this one's bloom filter. */
  last: z.boolean(),
});
export type DedupWork = z.output<typeof DedupWork>;

/**
 * The shards of all partitions, one partition after another: each is a lane, in which what a shard keeps depends on all before it.
 * `lanesAtOnce`: of how many the bloom filters fit into memory. `blooms`: digests of bloom files by partition.
 */
export function planLanes(candidates: DatasetState, partitions: number, lanesAtOnce: number, blooms: readonly (readonly string[])[]): Plan<DedupWork> {
  const sealed = candidates.sealed;
  // Where not all fit, each goes to its end before the next, so all of its input must be there.
  if (!sealed && lanesAtOnce < partitions) return { shards: [], complete: false };
  const inputs = sealed ? candidates.shards : shardsInRow(candidates.shards);
  const shards: Shard<DedupWork>[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const starts = blooms[partition] ?? [];
    let before: string[] = [];
    for (const { name: input, digest } of inputs) {
      const name = shardName(Number(input) * partitions + partition);
      const last = lanesAtOnce < partitions && input === inputs.at(-1)!.name;
      shards.push({
        name,
        work: { partition, partitions, input, blooms: [...starts], last },
        inputs: [{ name: `candidates/${input}`, digest }, ...starts.map((sha256) => ({ name: `bloom filter ${sha256.slice(0, 12)}`, digest: sha256 }))],
        after: before,
      });
      before = [name];
    }
  }
  return { shards, complete: sealed };
}

/** Of names of shards those of a partition, in order. */
export function laneOf(names: readonly string[], partition: number, partitions: number): string[] {
  return names.filter((name) => Number(name) % partitions === partition);
}

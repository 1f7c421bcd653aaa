import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ShardError } from '../../contracts/errors.ts';
import type { Shard, ShardInput } from '../../contracts/stage.ts';
import type { PublishedShard } from '../../runtime/shard-inputs.ts';

/** Where a shard of links stands in the order of the run: told by its inputs, which are all that a shard carries. */
export interface ShardPlace {
  /** The candidates that it reads. */
  path: string;
  /** Stands for the filters and all candidates that came before, in this partition. */
  before: string;
  /** The same with this shard's candidates. */
  after: string;
  partition: number;
  partitions: number;
  /** Name of the first shard of the partition. */
  first: string;
}

const BEFORE = 'all before';
const PARTITION = 'partition';

/** The shards of all partitions, one partition after another. What a shard keeps depends on all of its partition before it. */
export function shardsInOrder(folder: string, inputs: readonly PublishedShard[], filters: readonly ShardInput[], partitions: number): Shard[] {
  const shards: Shard[] = [];
  const digits = Math.max(5, String(inputs.length * partitions - 1).length);
  const name = (index: number): string => (partitions === 1 ? inputs[index]!.name : String(index).padStart(digits, '0'));
  for (let partition = 0; partition < partitions; partition++) {
    let before = filters.length === 0 ? 'nothing' : filters.map(({ identity }) => identity).join(' ');
    for (const [i, { name: input, identity }] of inputs.entries()) {
      shards.push({
        name: name(partition * inputs.length + i),
        inputs: [
          { path: join(folder, `${input}.parquet`), identity },
          { path: BEFORE, identity: before },
          { path: PARTITION, identity: `${partition} of ${partitions} from ${name(partition * inputs.length)}` },
        ],
      });
      before = following(before, identity);
    }
  }
  return shards;
}

function following(before: string, identity: string): string {
  return createHash('sha256').update(`${before}\n${identity}`).digest('hex');
}

export function placeOf({ name, inputs: [candidates, before, partition] }: Shard): ShardPlace {
  const [, part, parts, first] = /^(\d+) of (\d+) from (\d+)$/.exec(partition?.identity ?? '') ?? [];
  if (!candidates || !before || first === undefined) throw new ShardError(`dedup ${name}: not a shard of this version's plan. Start the run again.`);
  return {
    path: candidates.path,
    before: before.identity,
    after: following(before.identity, candidates.identity),
    partition: Number(part),
    partitions: Number(parts),
    first,
  };
}

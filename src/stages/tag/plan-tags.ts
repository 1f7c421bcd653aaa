import { z } from 'zod';
import type { DatasetState, PublishedShard } from '../../contracts/dataset.ts';
import { UsageError } from '../../contracts/errors.ts';
import type { Plan, PlanContext, ShardInput } from '../../contracts/stage.ts';
import { assertTars } from '../../formats/sample-shard.ts';
import type { TagOptions } from './options.ts';

/** `pairs`: the shards in which the pictures of the part are looked up; only where a model looks at them. */
export const TagWork = z.object({ pairs: z.array(z.string()).optional() });
export type TagWork = z.output<typeof TagWork>;

/** A shard for each part of the embeddings. */
export function planTags({ options, datasets }: Pick<PlanContext<TagOptions, TagWork>, 'options' | 'datasets'>): Plan<TagWork> {
  const { shards, sealed } = datasets['embeddings']!;
  for (const { name, madeBy } of shards) {
    const made = madeBy?.options['model'];
    if (typeof made === 'string' && made !== options.model)
      throw new UsageError(
        `The embeddings ${name} were made by ${made}, but --model of tag is ${options.model}. Heads fit one model only: give --model ${made}.`,
      );
  }
  const pairs = options.imageModels === undefined ? undefined : tarsOf(datasets['pairs']);
  return {
    shards: shards.map((part) => {
      const embeddings = { name: `embeddings/${part.name}`, digest: part.digest };
      if (!pairs) return { name: part.name, work: {}, inputs: [embeddings] };
      const read = pairsOf(part, pairs);
      return { name: part.name, work: { pairs: read.map(({ name }) => name) }, inputs: [embeddings, ...read.map(asInput)] };
    }),
    complete: sealed,
  };
}

function tarsOf(pairs: DatasetState | undefined): DatasetState {
  if (!pairs || pairs.shards.length === 0)
    throw new UsageError(
      'tag --image-models looks at pictures, and there are no pairs/ with tars. Name the folder of the tars that were embedded with --pairs, or leave --image-models out.',
    );
  assertTars(pairs, 'tag --image-models');
  return pairs;
}

/** The shards of which a part was made, by its marker; where another tool made it, all. */
function pairsOf({ madeOf }: PublishedShard, { shards }: DatasetState): PublishedShard[] {
  if (!madeOf) return [...shards];
  return shards.filter(({ name }) => `pairs/${name}` in madeOf);
}

const asInput = ({ name, digest }: PublishedShard): ShardInput => ({ name: `pairs/${name}`, digest });

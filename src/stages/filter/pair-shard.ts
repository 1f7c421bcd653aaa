import { messageOf, ShardError } from '../../contracts/errors.ts';
import { Pair, withFurtherColumns } from '../../contracts/records.ts';
import type { Effects, ShardResult } from '../../contracts/stage.ts';
import { type FurtherColumns, furtherValues } from '../../formats/further-columns.ts';
import { extendedJson, floatColumns } from '../../formats/sample-json.ts';
import type { ShardSample } from '../../formats/sample-shard.ts';
import type { Score } from './sample-scorer.ts';
import { SimilarityCounts } from './similarities.ts';
import { type FilterRules, rejectOf, verdictOn } from './verdict.ts';

/** A shard of pairs/ in the making. */
export interface PairShard {
  /** Takes samples with their scores, in order, and writes those that pass. */
  take(samples: readonly ShardSample[], scores: readonly Score[]): Promise<void>;
  result(): ShardResult;
}

/** `further`: columns of the samples that are none of ours. */
export async function openPairShard(name: string, further: FurtherColumns, rules: FilterRules, effects: Effects<'filter'>): Promise<PairShard> {
  const tar = await effects.files.samples(`${name}.tar`);
  const rows = await effects.files.parquet(`${name}.parquet`, withFurtherColumns(Pair, further, 'first'));
  const similarities = new SimilarityCounts();
  let read = 0;

  const takeOne = async ({ key, row, raw, members }: ShardSample, score: Score): Promise<void> => {
    const verdict = verdictOn({ row, raw }, score, rules);
    if (verdict.similarity !== undefined) similarities.add(row.language, verdict.similarity, !('reason' in verdict));
    if ('reason' in verdict) {
      effects.drop(verdict.reason, rejectOf(row, verdict));
      return;
    }
    await tar.write(
      key,
      [...members].map(([suffix, bytes]) => [suffix, suffix === 'json' ? pairJson(key, bytes, verdict) : bytes] as const),
    );
    await rows.write({ ...furtherValues(raw, further), ...row, ...verdict });
    effects.progress({ out: 1 });
  };

  return {
    async take(samples, scores) {
      for (const [i, sample] of samples.entries()) await takeOne(sample, scores[i]!);
      read += samples.length;
      effects.progress({ in: samples.length });
    },
    result: () => ({ in: read, out: [rows], extra: { similarity: similarities.toJSON() } }),
  };
}

const floats = floatColumns(Pair);

function pairJson(key: string, json: Uint8Array, scored: Pick<Pair, 'similarity' | 'NSFW'>): Uint8Array {
  try {
    return extendedJson(json, { similarity: scored.similarity, NSFW: scored.NSFW }, floats);
  } catch (error) {
    throw new ShardError(`the json of the sample ${key} can't be read: ${messageOf(error)}. Make the samples shard again.`, { cause: error });
  }
}

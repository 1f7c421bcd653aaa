import { ShardError } from '../../contracts/errors.ts';
import type { SampleScore } from '../../contracts/records.ts';
import { readParquet } from '../../formats/parquet.ts';
import type { Nsfw, Unlawful } from './nsfw-judge.ts';
import type { SampleScorer, Score } from './sample-scorer.ts';

/** Scores from scores/NNNNN.parquet, for the samples of that shard in their order. `close` when no more are wanted. */
export function storedScorer(path: string, shard: string): Pick<SampleScorer, 'score'> & { close(): Promise<unknown> } {
  const rows = readParquet<SampleScore>(path);
  return {
    score: async (samples) => {
      const scores: Score[] = [];
      for (const { key } of samples) {
        const next = await rows.next();
        const row = next.done ? undefined : next.value;
        if (row?.key !== key)
          throw new ShardError(
            `scores/${shard}.parquet has ${row ? `the sample ${row.key}` : 'no further row'} where samples/${shard}.tar has ${key}. Make it again: --redo score.`,
          );
        scores.push(scoreOf(row));
      }
      return scores;
    },
    close: () => rows.return(undefined),
  };
}

function scoreOf({ similarity, NSFW, reason, value }: SampleScore): Score {
  if (similarity === null) return { reason: reason as 'decode-failed', value: value ?? '' };
  return { similarity, NSFW: NSFW as Nsfw | null, ...(reason !== null && { unlawful: reason as Unlawful }) };
}

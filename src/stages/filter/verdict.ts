import type { DropReason } from '../../contracts/drop-reason.ts';
import type { Pair, Reject } from '../../contracts/records.ts';
import type { ShardSample } from '../../formats/sample-shard.ts';
import type { Blocklist } from '../../sources/blocklist.ts';
import { blockedReason } from './blocked-sample.ts';
import type { Score } from './sample-scorer.ts';
import { thresholdFor, type Thresholds } from './thresholds.ts';

/** By what samples are kept or dropped. */
export interface FilterRules {
  readonly thresholds: Thresholds;
  readonly blocklist: Blocklist | undefined;
}

/** Why a sample is dropped; `similarity` where it was scored. */
export interface Dropping {
  reason: DropReason<'filter'>;
  similarity?: number;
  value: string | null;
  threshold: string | null;
}

/** What becomes of a sample: it is kept with these columns, or dropped. */
export type Verdict = Pick<Pair, 'similarity' | 'NSFW'> | Dropping;

export function verdictOn({ row, raw }: Pick<ShardSample, 'row' | 'raw'>, score: Score, { thresholds, blocklist }: FilterRules): Verdict {
  const blocked = blocklist && blockedReason({ row, raw }, blocklist);
  if (blocked) return { ...blocked, threshold: null };
  if ('reason' in score) return { ...score, threshold: null };
  const { similarity, NSFW, unlawful } = score;
  if (unlawful !== undefined) return { reason: unlawful, similarity, value: null, threshold: null };
  const threshold = thresholdFor(thresholds, row.language);
  if (similarity >= threshold) return { similarity, NSFW };
  return { reason: 'similarity', similarity, value: String(similarity), threshold: String(threshold) };
}

/** Rejects must not become a list of what is blocked or unlawful: neither where such a sample is nor what it says. */
export function rejectOf({ hash, url, caption }: ShardSample['row'], { reason, value, threshold }: Dropping): Omit<Reject, 'reason'> {
  const isHidden = /^(?:blocklisted|unlawful)-/.test(reason);
  return { hash, url: isHidden ? '' : url, text: isHidden ? null : caption, value, threshold };
}

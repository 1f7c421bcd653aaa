import { messageOf, ShardError } from '../../contracts/errors.ts';
import { Pair, withFurtherColumns } from '../../contracts/records.ts';
import type { RowWriter, SampleFileWriter } from '../../contracts/shard-files.ts';
import type { Effects, ShardResult } from '../../contracts/stage.ts';
import { type FurtherColumns, furtherValues } from '../../formats/further-columns.ts';
import { extendedJson, floatColumns } from '../../formats/sample-json.ts';
import type { ShardSample } from '../../formats/sample-shard.ts';
import type { Blocklist } from '../../sources/blocklist.ts';
import { blockedReason } from './blocked-sample.ts';
import type { Score } from './sample-scorer.ts';
import { SimilarityCounts } from './similarities.ts';
import { thresholdFor, type Thresholds } from './thresholds.ts';

/** A shard of pairs/ in the making: takes samples with their scores, in order, and writes those that pass. */
export class PairShard {
  readonly #tar: SampleFileWriter;
  readonly #rows: RowWriter<Pair>;
  /** Columns of the samples that are none of ours. */
  readonly #further: FurtherColumns;
  readonly #thresholds: Thresholds;
  readonly #effects: Effects<'filter'>;
  readonly #blocklist: Blocklist | undefined;
  readonly #similarities = new SimilarityCounts();
  #read = 0;

  private constructor(
    tar: SampleFileWriter,
    rows: RowWriter<Pair>,
    further: FurtherColumns,
    thresholds: Thresholds,
    effects: Effects<'filter'>,
    blocklist: Blocklist | undefined,
  ) {
    this.#blocklist = blocklist;
    this.#tar = tar;
    this.#rows = rows;
    this.#further = further;
    this.#thresholds = thresholds;
    this.#effects = effects;
  }

  static async open(
    name: string,
    further: FurtherColumns,
    thresholds: Thresholds,
    effects: Effects<'filter'>,
    blocklist: Blocklist | undefined,
  ): Promise<PairShard> {
    const tar = await effects.files.samples(`${name}.tar`);
    const rows = await effects.files.parquet(`${name}.parquet`, withFurtherColumns(Pair, further, 'first'));
    return new PairShard(tar, rows, further, thresholds, effects, blocklist);
  }

  async take(samples: readonly ShardSample[], scores: readonly Score[]): Promise<void> {
    for (const [i, sample] of samples.entries()) await this.#keepOrDrop(sample, scores[i]!);
    this.#read += samples.length;
    this.#effects.progress({ in: samples.length });
  }

  result(): ShardResult {
    return { in: this.#read, out: [this.#rows], extra: { similarity: this.#similarities.toJSON() } };
  }

  async #keepOrDrop({ key, row, raw, members }: ShardSample, score: Score): Promise<void> {
    const blocked = this.#blocklist && blockedReason({ row, raw }, this.#blocklist);
    if (blocked) {
      this.#effects.drop(blocked.reason, { hash: row.hash, url: '', text: null, value: blocked.value, threshold: null });
      return;
    }
    const item = { hash: row.hash, url: row.url, text: row.caption };
    if ('reason' in score) {
      this.#effects.drop(score.reason, { ...item, value: score.value, threshold: null });
      return;
    }
    const { similarity, NSFW, unlawful } = score;
    const threshold = thresholdFor(this.#thresholds, row.language);
    const keeps = similarity >= threshold && unlawful === undefined;
    this.#similarities.add(row.language, similarity, keeps);
    if (unlawful !== undefined) {
      // Neither where it is nor what it says: rejects must not become a list of such pictures.
      this.#effects.drop(unlawful, { hash: row.hash, url: '', text: null, value: null, threshold: null });
      return;
    }
    if (!keeps) {
      this.#effects.drop('similarity', { ...item, value: String(similarity), threshold: String(threshold) });
      return;
    }
    const scored = { similarity, NSFW };
    await this.#tar.write(
      key,
      [...members].map(([suffix, bytes]) => [suffix, suffix === 'json' ? pairJson(key, bytes, scored) : bytes] as const),
    );
    await this.#rows.write({ ...furtherValues(raw, this.#further), ...row, ...scored });
    this.#effects.progress({ out: 1 });
  }
}

const floats = floatColumns(Pair);

function pairJson(key: string, json: Uint8Array, scored: Pick<Pair, 'similarity' | 'NSFW'>): Uint8Array {
  try {
    return extendedJson(json, scored, floats);
  } catch (error) {
    throw new ShardError(`the json of the sample ${key} can't be read: ${messageOf(error)}. Make the samples shard again.`, { cause: error });
  }
}

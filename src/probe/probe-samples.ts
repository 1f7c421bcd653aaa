import sharp from 'sharp';
import { setOfLanguage } from '../contracts/records.ts';
import type { Resources } from '../contracts/stage.ts';
import type { Head } from '../models/heads/head.ts';
import { type HeadScorer, openHeadScorer } from '../models/heads/head-scorer.ts';
import type { Encoders } from '../models/load-model.ts';
import type { ScoreOptions } from '../stages/filter/options.ts';
import { type SampleScorer, sampleScorer, type Score } from '../stages/filter/sample-scorer.ts';
import { thresholdFor, type Thresholds } from '../stages/filter/thresholds.ts';
import type { ProbedSample } from './probe-input.ts';

/** Every score of a sample; nothing is dropped. */
export interface ProbedRow {
  key: string;
  url: string;
  caption: string;
  language: string;
  set: 'en' | 'multi' | 'nolang';
  NSFW: string | null;
  /** For which filter would drop it whatever its similarity. */
  reason: string | null;
  /** By name; null where there is none. */
  scores: Record<string, number | null>;
}

/** A picture near the threshold of its set, to look at. */
export interface NearPicture {
  row: ProbedRow;
  similarity: number;
  threshold: number;
  /** data: URL of a small JPEG. */
  thumbnail: string;
}

/** By sample. */
export interface ProbedScores {
  scores: readonly Score[];
  ofHeads: readonly Record<string, number | null>[];
}

const NEAR = 8;
const THUMBNAIL = 112;

/** Scores samples in batches, and keeps those that lie nearest to their threshold: few pictures are in memory. */
export class SampleProbe {
  readonly #scorer: SampleScorer;
  readonly #thresholds: Thresholds;
  readonly #encoders: Encoders;
  readonly #heads: readonly Head[];
  readonly #headScorer: HeadScorer;
  readonly rows: ProbedRow[] = [];
  readonly #near = new Map<string, { sample: ProbedSample; row: ProbedRow; distance: number }[]>();

  private constructor(scorer: SampleScorer, thresholds: Thresholds, encoders: Encoders, heads: readonly Head[], headScorer: HeadScorer) {
    this.#scorer = scorer;
    this.#thresholds = thresholds;
    this.#encoders = encoders;
    this.#heads = heads;
    this.#headScorer = headScorer;
  }

  static async open(
    resources: Resources,
    options: ScoreOptions,
    { thresholds, encoders, heads }: { thresholds: (ofModels: SampleScorer['thresholds']) => Thresholds; encoders: Encoders; heads: readonly Head[] },
  ): Promise<SampleProbe> {
    const scorer = await sampleScorer(resources, options);
    return new SampleProbe(scorer, thresholds(scorer.thresholds), encoders, heads, await openHeadScorer(heads, encoders.dimensions, '<f4'));
  }

  get thresholds(): Thresholds {
    return this.#thresholds;
  }

  /** What the filter and the heads say of samples. */
  async score(samples: readonly ProbedSample[]): Promise<ProbedScores> {
    return { scores: await this.#scorer.score(samples), ofHeads: await this.#scoresOfHeads(samples) };
  }

  async take(samples: readonly ProbedSample[], { scores, ofHeads }: ProbedScores): Promise<void> {
    for (const [i, sample] of samples.entries()) {
      const score = scores[i]!;
      const { url, caption, language } = sample.row;
      const row: ProbedRow = {
        key: sample.key,
        url,
        caption,
        language,
        set: setOfLanguage(language),
        NSFW: 'similarity' in score ? score.NSFW : null,
        reason: 'reason' in score ? score.reason : (score.unlawful ?? null),
        scores: {
          similarity: 'similarity' in score ? score.similarity : null,
          ...ofHeads[i],
          ...(await shape(sample.picture)),
          ...lengths(caption),
        },
      };
      this.rows.push(row);
      this.#rememberNear(sample, row);
    }
  }

  /** By set and side: the nearest below, then the nearest above. What filter drops as unlawful is not shown. */
  async near(): Promise<NearPicture[]> {
    const pictures: NearPicture[] = [];
    for (const key of [...this.#near.keys()].sort()) {
      for (const { sample, row } of this.#near.get(key)!) {
        const picture = await sharp(sample.picture)
          .resize(THUMBNAIL, THUMBNAIL, { fit: 'inside' })
          .flatten({ background: '#fff' })
          .jpeg({ quality: 80 })
          .toBuffer();
        const thumbnail = `data:image/jpeg;base64,${picture.toString('base64')}`;
        pictures.push({ row, similarity: row.scores['similarity']!, threshold: thresholdFor(this.#thresholds, row.language), thumbnail });
      }
    }
    return pictures.sort((a, b) => (a.row.set === b.row.set ? a.similarity - b.similarity : a.row.set < b.row.set ? -1 : 1));
  }

  /** By column, of each sample; null where its picture can't be read. */
  async #scoresOfHeads(samples: readonly ProbedSample[]): Promise<Record<string, number | null>[]> {
    if (this.#heads.length === 0) return samples.map(() => ({}));
    const images = await this.#encoders.encodeImages(samples.map(({ picture }) => picture));
    const { dimensions } = this.#encoders;
    const values = new Float32Array(this.#headScorer.rowsPerBlock * dimensions);
    for (const [i, image] of images.entries()) if (!(image instanceof Error)) values.set(image, i * dimensions);
    const scores = await this.#headScorer.score(values, samples.length);
    return images.map((image, i) => Object.fromEntries(this.#heads.map(({ column }, head) => [column, image instanceof Error ? null : scores[head]![i]!])));
  }

  async close(): Promise<void> {
    await this.#headScorer.close();
  }

  #rememberNear(sample: ProbedSample, row: ProbedRow): void {
    const { similarity } = row.scores;
    if (similarity === null || similarity === undefined || row.reason !== null) return;
    const distance = Math.abs(similarity - thresholdFor(this.#thresholds, row.language));
    const side = `${row.set} ${similarity >= thresholdFor(this.#thresholds, row.language) ? 'above' : 'below'}`;
    const near = this.#near.get(side) ?? [];
    near.push({ sample, row, distance });
    near.sort((a, b) => a.distance - b.distance);
    near.length = Math.min(near.length, NEAR);
    this.#near.set(side, near);
  }
}

async function shape(picture: Uint8Array): Promise<{ shorter_side: number | null; aspect_ratio: number | null; bytes: number }> {
  const { width, height } = await sharp(picture)
    .metadata()
    .catch(() => ({ width: undefined, height: undefined }));
  const known = width !== undefined && height !== undefined;
  return {
    shorter_side: known ? Math.min(width, height) : null,
    aspect_ratio: known ? Math.max(width, height) / Math.min(width, height) : null,
    bytes: picture.byteLength,
  };
}

function lengths(caption: string): { characters: number; words: number } {
  return { characters: [...caption].length, words: caption.split(/\s+/u).filter(Boolean).length };
}

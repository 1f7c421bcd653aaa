import { type SetName, setOfLanguage } from '../../contracts/records.ts';
import type { Resources } from '../../contracts/stage.ts';
import { findModel } from '../../models/find-model.ts';
import { type Encoders, modelChecksums } from '../../models/load-model.ts';
import type { Thresholds } from '../../models/model-entry.ts';
import { modelSettings } from '../../models/model-settings.ts';
import { modelFrom } from '../../models/shared-models.ts';
import { cosine } from '../../models/vectors.ts';
import { categoriesChecksum, categoriesFile, readNsfwCategories } from './nsfw-categories.ts';
import { type Nsfw, NsfwJudge, type Unlawful } from './nsfw-judge.ts';
import { multilingualModel, type ScoreOptions } from './options.ts';

/** What is scored of a sample of a shard. */
export interface ScoredSample {
  key: string;
  picture: Uint8Array;
  row: { caption: string; language: string };
}

/** What the models say of a sample, or why they can't say it. */
export type Score = { similarity: number; NSFW: Nsfw | null; unlawful?: Unlawful | undefined } | Failure;
interface Failure {
  reason: 'decode-failed' | 'text-failed';
  value: string;
}

export interface SampleScorer {
  /** The models' own. */
  thresholds: Partial<Thresholds>;
  /** In the order of the samples; what else is scored with a sample does not matter. */
  score(samples: readonly ScoredSample[]): Promise<Score[]>;
}

/** sha256 of everything that decides a score. */
export async function scorerChecksums(options: ScoreOptions): Promise<Record<string, string>> {
  const settings = modelSettings(options);
  const categories = categoriesFile(options);
  return {
    ...(await modelChecksums([options.model, multilingualModel(options)], settings)),
    ...(categories !== undefined && { 'nsfw-categories': await categoriesChecksum(categories) }),
  };
}

/** The models' own thresholds, without those of a model that has none. */
export async function modelThresholds(options: ScoreOptions): Promise<Partial<Thresholds>> {
  const [english, multilingual] = await Promise.all([options.model, multilingualModel(options)].map((model) => findModel(model, modelSettings(options))));
  return bySet(english!.thresholds, multilingual!.thresholds);
}

function bySet(english: Thresholds | undefined, multilingual: Thresholds | undefined): Partial<Thresholds> {
  return { ...(multilingual && { multi: multilingual.multi, nolang: multilingual.nolang }), ...(english && { en: english.en }) };
}

/** English is scored by one model, the other languages and none by another or by the same; categories by that for English. */
export async function sampleScorer(resources: Resources, options: ScoreOptions): Promise<SampleScorer> {
  const settings = modelSettings(options);
  const english = await modelFrom(resources, options.model, settings);
  const multilingual = multilingualModel(options) === options.model ? english : await modelFrom(resources, multilingualModel(options), settings);
  const models: Record<SetName, Encoders> = { en: english, multi: multilingual, nolang: multilingual };
  const path = categoriesFile(options);
  const judge =
    path === undefined
      ? undefined
      : await resources.get('nsfw-judge', { path, model: options.model, ...settings }, async () =>
          NsfwJudge.make(await readNsfwCategories(path), async (texts) => english.encodeTexts(texts)),
        );
  const scorePair = (image: Float32Array | Error, text: Float32Array | Error): { similarity: number } | Failure => {
    if (image instanceof Error) return { reason: 'decode-failed', value: image.message };
    if (text instanceof Error) return { reason: 'text-failed', value: text.message };
    return { similarity: cosine(image, text) };
  };
  return {
    thresholds: bySet(english.thresholds, multilingual.thresholds),
    score: async (samples) => {
      const scores: Score[] = [];
      const judged = judge ? await english.encodeImages(samples.map(({ picture }) => picture)) : [];
      // By model and not by set: with one model for all, the batch stays whole.
      for (const [model, indexes] of Map.groupBy(samples.keys(), (i) => models[setOfLanguage(samples[i]!.row.language)])) {
        const [images, texts] = await Promise.all([
          judge && model === english ? indexes.map((i) => judged[i]!) : model.encodeImages(indexes.map((i) => samples[i]!.picture)),
          model.encodeTexts(indexes.map((i) => samples[i]!.row.caption)),
        ]);
        for (const [at, i] of indexes.entries()) {
          const score = scorePair(images[at]!, texts[at]!);
          const image = judged[i];
          if ('reason' in score) scores[i] = score;
          else scores[i] = { ...score, ...(judge && image instanceof Float32Array ? judge.judge(image, samples[i]!.row) : { NSFW: null }) };
        }
      }
      return scores;
    },
  };
}

import type { SetName } from '../../contracts/records.ts';
import type { Resources } from '../../contracts/stage.ts';
import type { Encoders } from '../../models/load-model.ts';
import { modelSettings } from '../../models/model-settings.ts';
import { modelFrom } from '../../models/shared-models.ts';
import { cosine } from '../../models/vectors.ts';
import type { FilterOptions } from './options.ts';

/** By what the samples of one set are scored, and the smallest score that is kept. */
export interface SetScorer {
  model: Encoders;
  threshold: number;
}

/** How alike picture and text are, or why that can't be said. */
export type Similarity = { similarity: number } | { reason: 'decode-failed' | 'text-failed'; value: string };

/** The model for the sets `multi` and `nolang`. */
export function multilingualModel({ model, multilingualModel }: FilterOptions): string {
  return multilingualModel ?? (model === 'clip-vit-b-32' ? 'mclip-vit-b-32' : model);
}

/** The scorers of all three sets. */
export async function scorersBySet(resources: Resources, options: FilterOptions): Promise<Record<SetName, SetScorer>> {
  const settings = modelSettings(options);
  const english = await modelFrom(resources, options.model, settings);
  const multilingual = multilingualModel(options) === options.model ? english : await modelFrom(resources, multilingualModel(options), settings);
  return {
    en: { model: english, threshold: options.thresholdEn ?? options.threshold ?? english.thresholds.en },
    multi: { model: multilingual, threshold: options.thresholdMulti ?? options.threshold ?? multilingual.thresholds.multi },
    nolang: { model: multilingual, threshold: options.thresholdNolang ?? options.threshold ?? multilingual.thresholds.nolang },
  };
}

/** Cosines of pictures with their texts, by one model, in order. */
export async function similarities(model: Encoders, pairs: readonly { picture: Uint8Array; text: string }[]): Promise<Similarity[]> {
  const images = await model.encodeImages(pairs.map(({ picture }) => picture));
  const texts = await model.encodeTexts(pairs.map(({ text }) => text));
  return images.map((image, i) => {
    const text = texts[i]!;
    if (image instanceof Error) return { reason: 'decode-failed', value: image.message };
    if (text instanceof Error) return { reason: 'text-failed', value: text.message };
    return { similarity: cosine(image, text) };
  });
}

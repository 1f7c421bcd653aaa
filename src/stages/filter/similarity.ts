import type { SetName } from '../../contracts/records.ts';
import type { DualEncoder } from '../../models/load-model.ts';
import { modelSettings } from '../../models/model-settings.ts';
import { sharedModel } from '../../models/shared-models.ts';
import { cosine } from '../../models/vectors.ts';
import type { FilterOptions } from './options.ts';

/** What judges the samples of one set. */
export interface Judge {
  model: DualEncoder;
  threshold: number;
}

/** How alike picture and text are, or why that can't be said. */
export type Similarity = { similarity: number } | { reason: 'decode-failed' | 'text-failed'; value: string };

/** The model for the sets `multi` and `nolang`. */
export function multilingualModel({ model, multilingualModel }: FilterOptions): string {
  return multilingualModel ?? (model === 'clip-vit-b-32' ? 'mclip-vit-b-32' : model);
}

/** Loads the models of all three sets. */
export async function judges(options: FilterOptions): Promise<Record<SetName, Judge>> {
  const settings = modelSettings(options);
  const english = await sharedModel(options.model, settings);
  const multilingual = await sharedModel(multilingualModel(options), settings);
  return {
    en: { model: english, threshold: options.thresholdEn ?? english.thresholds.en },
    multi: { model: multilingual, threshold: options.thresholdMulti ?? multilingual.thresholds.multi },
    nolang: { model: multilingual, threshold: options.thresholdNolang ?? multilingual.thresholds.nolang },
  };
}

/** Cosines of pictures with their texts, by one model, in order. */
export async function similarities(model: DualEncoder, pairs: readonly { picture: Uint8Array; text: string }[]): Promise<Similarity[]> {
  const images = await model.encodeImages(pairs.map(({ picture }) => picture));
  const texts = await model.encodeTexts(pairs.map(({ text }) => text));
  return images.map((image, i) => {
    const text = texts[i]!;
    if (image instanceof Error) return { reason: 'decode-failed', value: image.message };
    if (text instanceof Error) return { reason: 'text-failed', value: text.message };
    return { similarity: cosine(image, text) };
  });
}

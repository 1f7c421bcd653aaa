import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import { type SetName, setOfLanguage } from '../../contracts/records.ts';
import type { Thresholds as ModelThresholds } from '../../models/model-entry.ts';
import { type FilterOptions, multilingualModel } from './options.ts';

/** Smallest similarity that is kept, by set, and by language where that has one of its own. */
export const Thresholds = z.object({
  sets: z.object({ en: z.number(), multi: z.number(), nolang: z.number() }),
  languages: z.record(z.string(), z.number()),
});
export type Thresholds = z.infer<typeof Thresholds>;

/**
 * That of a language wins over that of its set, that over --threshold, that over the model's. Throws UsageError where a set has none: its
 * model has no threshold of its own.
 */
export function thresholdsOf(options: FilterOptions, ofModels: Partial<ModelThresholds>): Thresholds {
  const { threshold, thresholdEn, thresholdMulti, thresholdNolang, thresholdLanguage } = options;
  const given = { en: thresholdEn, multi: thresholdMulti, nolang: thresholdNolang };
  const of = (set: SetName): number => {
    const found = given[set] ?? threshold ?? ofModels[set];
    if (found !== undefined) return found;
    const model = set === 'en' ? options.model : multilingualModel(options);
    throw new UsageError(
      `--model ${model} has no threshold of its own for the set ${set}: its cosines lie on another scale than those for which LAION's thresholds were made. Give --threshold, or --keep-top; pairmill probe finds a threshold that fits your data.`,
    );
  };
  return { sets: { en: of('en'), multi: of('multi'), nolang: of('nolang') }, languages: languageThresholds(thresholdLanguage) };
}

export function thresholdFor({ sets, languages }: Thresholds, language: string): number {
  return languages[language] ?? sets[setOfLanguage(language)];
}

/** `['de=0.25']` as `{de: 0.25}`. Throws UsageError for what is none. */
export function languageThresholds(given: readonly string[] = []): Record<string, number> {
  const thresholds: Record<string, number> = {};
  for (const item of given) {
    const [, language, text] = /^([a-z]{2,3})=(-?[\d.]+)$/.exec(item) ?? [];
    const cosine = Number(text);
    if (language === undefined || !(cosine >= -1 && cosine <= 1))
      throw new UsageError(
        `--threshold-language: ${JSON.stringify(item)} is no language with a cosine from -1 to 1. Write de=0.25; samples without a language have --threshold-nolang.`,
      );
    if (thresholds[language] !== undefined) throw new UsageError(`--threshold-language names ${language} twice, with ${thresholds[language]} and ${cosine}.`);
    thresholds[language] = cosine;
  }
  return thresholds;
}

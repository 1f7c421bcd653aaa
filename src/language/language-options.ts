import { z } from 'zod';
import { option } from '../contracts/option.ts';
import type { Resources } from '../contracts/stage.ts';
import type { LanguageDetector } from './language-detector.ts';
import { type LanguageDetectorName, languageDetectors, loadLanguageDetector } from './load-language-detector.ts';

/** Options of every stage that identifies the language of texts. */
export const languageOptions = {
  languageDetector: option(
    z.enum(['fasttext', 'cld3', 'eld', 'none']).default('fasttext'),
    "What identifies the language of a text that comes without one: fastText lid.176, CLD3 (LAION's), eld, or none (it goes to nolang)",
    { often: true, shared: true },
  ),
  languageThreshold: option(
    z.number().min(0).max(1).optional(),
    `A language found with less confidence counts as none; the detector's own where none is given: ${Object.entries(languageDetectors)
      .map(([name, { threshold }]) => `${name} ${threshold}`)
      .join(', ')}`,
    { shared: true },
  ),
};

/** The language of texts that come without one, where the user knows it. */
export const languageCode = option(
  z
    .string()
    .regex(/^[a-z]{2,3}$/, 'expected a code of ISO 639 such as en')
    .optional(),
  'Language of all texts (ISO 639-1, else 639-3) that come without one; else it is identified',
  { value: 'CODE', often: true, shared: true },
);

interface LanguageChoice {
  readonly languageDetector: LanguageDetectorName | 'none';
  readonly languageThreshold?: number | undefined;
}

/** The detector and the threshold that counts; also for the marker. */
export function chosenDetector({ languageDetector: detector, languageThreshold }: LanguageChoice): {
  detector: LanguageChoice['languageDetector'];
  threshold?: number;
} {
  return detector === 'none' ? { detector } : { detector, threshold: languageThreshold ?? languageDetectors[detector].threshold };
}

/** The detector of these options, which the thread keeps; undefined where none is to be asked. */
export async function residentDetector(options: LanguageChoice, resources: Resources): Promise<LanguageDetector | undefined> {
  const { detector, threshold } = chosenDetector(options);
  return detector === 'none' ? undefined : resources.get('language-detector', { detector, threshold }, () => loadLanguageDetector(detector, threshold));
}

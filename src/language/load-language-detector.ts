import { loadCld3 } from './cld3-detector.ts';
import { loadEld } from './eld-detector.ts';
import { loadFastText } from './fasttext-detector.ts';
import type { LanguageDetector } from './language-detector.ts';
import { languageText } from './language-text.ts';

/**
 * The detectors by name. A confidence of one says something else than the same confidence of another, so each has a threshold
 * of its own, chosen by `npm run bench -- language`; docs/notes/extract.md has the rule and the figures.
 */
export const languageDetectors = {
  fasttext: { load: loadFastText, threshold: 0.5 },
  cld3: { load: loadCld3, threshold: 0.9 },
  eld: { load: loadEld, threshold: 0.45 },
} as const;
export type LanguageDetectorName = keyof typeof languageDetectors;

/** A detector that is shown what is worth showing of a text, and says nothing below the threshold (the detector's own if undefined). */
export async function loadLanguageDetector(name: LanguageDetectorName, threshold?: number): Promise<LanguageDetector> {
  const { load, threshold: own } = languageDetectors[name];
  const detector = await load();
  const least = threshold ?? own;
  return {
    detect(text) {
      const shown = languageText(text);
      const found = shown === undefined ? undefined : detector.detect(shown);
      return found && found.confidence >= least ? found : undefined;
    },
    close: () => detector.close(),
  };
}

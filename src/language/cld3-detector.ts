import type { DetectedLanguage, LanguageDetector } from './language-detector.ts';

/** Codes of CLD3 that are no ISO 639-1 code, or an old one. A script (`zh-Latn`, `bg-Latn`) is left off, as LAION did. */
const CODES: Readonly<Record<string, string>> = { iw: 'he', fil: 'tl' };

/** LAION's own: texts of fewer bytes have no language, and of longer ones so many bytes are looked at. */
const [MIN_BYTES, MAX_BYTES] = [5, 2000];

/** It refuses to start after 3 s else, which a loaded machine takes. */
const START_MS = 60_000;

/**
 * Google's CLD3 (compiled to WebAssembly by cld3-asm), which LAION used: 103 languages. Its `is_reliable`, which LAION went by,
 * is a confidence of 0.7 (0.5 for hr and bs). Its memory is 16 MB and does not grow.
 */
export async function loadCld3(): Promise<LanguageDetector> {
  const { loadModule } = await import('cld3-asm');
  const identifier = (await loadModule({ timeout: START_MS })).create(MIN_BYTES, MAX_BYTES);
  return {
    detect(text: string): DetectedLanguage | undefined {
      const result = identifier.findLanguage(text);
      // `zh-Latn` is Chinese; `und` is CLD3's word for nothing found.
      const code = result.language.split('-')[0]!;
      return code === 'und' ? undefined : { code: CODES[code] ?? code, confidence: Math.min(1, result.probability) };
    },
    close: () => identifier.dispose(),
  };
}

import { readFile } from 'node:fs/promises';
import type { DetectedLanguage, LanguageDetector } from './language-detector.ts';

/** What fasttext.wasm.js gives of its WebAssembly module (embind). */
interface FastTextModule {
  FS: { writeFile(path: string, bytes: Uint8Array): void };
  FastText: new () => { loadModel(path: string): void; predict(text: string, k: number, threshold: number): Predictions; delete(): void };
}

interface Predictions {
  size(): number;
  get(index: number): [probability: number, label: string];
  delete(): void;
}

/** Labels of lid.176 (names of Wikipedias) that are no ISO 639-1 or 639-3 code, or that of another language. */
const CODES: Readonly<Record<string, string>> = { als: 'gsw', bh: 'bho', eml: 'egl', sh: 'hbs' };

/** fastText's lid.176 (compressed, shipped in fasttext.wasm.js): 176 languages. */
export async function loadFastText(): Promise<LanguageDetector> {
  const { getFastTextModule } = (await import('fasttext.wasm.js')) as unknown as { getFastTextModule(): Promise<FastTextModule> };
  const module = await getFastTextModule();
  const bytes = await readFile(new URL(import.meta.resolve('fasttext.wasm.js/dist/models/language-identification/assets/lid.176.ftz')));
  module.FS.writeFile('lid.176.ftz', bytes);
  const model = new module.FastText();
  model.loadModel('lid.176.ftz');
  return {
    detect(text: string): DetectedLanguage | undefined {
      const predictions = model.predict(text, 1, 0);
      try {
        if (predictions.size() === 0) return undefined;
        const [confidence, label] = predictions.get(0);
        const code = label.replace('__label__', '');
        // The softmax of the hierarchy rounds to a little above 1.
        return { code: CODES[code] ?? code, confidence: Math.min(1, confidence) };
      } finally {
        predictions.delete();
      }
    },
    close: () => model.delete(),
  };
}

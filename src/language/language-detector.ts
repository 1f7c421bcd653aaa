/** The port behind which language detectors stand. */
export interface LanguageDetector {
  /**
   * The most likely language of a text with its confidence, 0 to 1; undefined where it can't say. `loadLanguageDetector` gives
   * one that takes any string; a detector of a package is only ever given what `languageText` makes of it.
   */
  detect(text: string): DetectedLanguage | undefined;
  close(): void;
}

export interface DetectedLanguage {
  /** ISO 639-1 in lower case, else 639-3; no script. */
  code: string;
  confidence: number;
}

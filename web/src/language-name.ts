const names = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' });

/** A language code in English; the empty code is "none found". */
export function languageName(code: string): string {
  if (code === '') return 'No language';
  try {
    return names.of(code) ?? code;
  } catch {
    return code;
  }
}

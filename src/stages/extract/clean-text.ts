/**
 * Cleaning of alt texts: what a page's author meant, without what went wrong on the way. Entities are decoded in a
 * WAT already.
 */

/** Printable ASCII with single spaces inside: most texts, and nothing to do. */
const CLEAN = /^[!-~]+(?: [!-~]+)*$/;

/** The text with mojibake repaired, control characters out, in Unicode NFC, white space collapsed, well-formed. */
export function cleanText(text: string): string {
  if (CLEAN.test(text)) return text;
  return repairMojibake(text.toWellFormed())
    .replaceAll(UNWANTED, '')
    .normalize('NFC')
    .replaceAll(/[\s\u0085\u200b\ufeff]+/g, ' ')
    .trim();
}

/**
 * Control characters but white space; direction marks and overrides that could change how the rest is read; interlinear
 * annotation. Joiners stay: emoji and several scripts need them.
 */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNWANTED = /[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u061c\u200e\u200f\u202a-\u202e\u2060-\u2069\ufff9-\ufffb]/g;

/** Number of code points. */
export function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

/** The characters of windows-1252 at 0x80 to 0x9f; the five that it leaves open stand for themselves. */
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';
const byteOf = new Map([...WINDOWS_1252].map((character, i) => [character.charCodeAt(0), 0x80 + i]));
const HIGH = `\\u0080-\\u00bf${WINDOWS_1252.replaceAll(/[\u0080-\u009f]/g, '')}`;
/** UTF-8 sequences of two to four bytes, read as windows-1252 or Latin-1. */
const MISREAD = new RegExp(`[\\u00c2-\\u00df][${HIGH}]|[\\u00e0-\\u00ef][${HIGH}]{2}|[\\u00f0-\\u00f4][${HIGH}]{3}`, 'g');
const LATIN_EXTENDED = new RegExp(`\\p{Ll}[ÄÅ][${HIGH}]|[ÄÅ][${HIGH}]\\p{Ll}`, 'u');
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Repairs utf-8 that was read as windows-1252 or Latin-1, up to three times over, where it is beyond doubt: every
 * misread sequence must decode, and "CAFÉ®" or "SMÅ™" must not count as one.
 */
export function repairMojibake(text: string): string {
  for (let pass = 0; pass < 3; pass++) {
    const repaired = repairOnce(text);
    if (repaired === text) return text;
    text = repaired;
  }
  return text;
}

function repairOnce(text: string): string {
  const found = text.match(MISREAD);
  if (!found || !isMisread(text, found)) return text;
  try {
    return text.replaceAll(MISREAD, (sequence) =>
      decoder.decode(Uint8Array.from(sequence, (character) => byteOf.get(character.charCodeAt(0)) ?? character.charCodeAt(0))),
    );
  } catch {
    return text;
  }
}

function isMisread(text: string, found: string[]): boolean {
  // Three characters or more, a lead of accented Latin letters and signs (Â, Ã), or C1 controls: nobody writes that.
  if (found.some((sequence) => sequence.length > 2 || sequence[0] === 'Â' || sequence[0] === 'Ã' || /[\u0080-\u009f]/.test(sequence))) return true;
  // Leads of Latin Extended (Ä, Å): in a word of small letters.
  if (LATIN_EXTENDED.test(text)) return true;
  // Leads of Greek, Cyrillic, Hebrew, Arabic: a word has several.
  return found.filter((pair) => /[ÎÏÐÑ×ØÙ]/.test(pair[0]!)).length > 1;
}

import { encodings, looksLikeUtf8, unlikely } from './caption-tables.ts';

/**
 * Repairs text whose utf-8 was read in another encoding (`â€œ` for a quotation mark): ftfy 6.3.1's fix_encoding,
 * carried over from Python (Apache-2.0, Robyn Speer). Byte strings are JavaScript strings of the characters 0 to 255.
 *
 * `extract` repairs texts by rules of its own, on purpose. This is what CLIP was trained with and must equal ftfy to the letter;
 * that decides what is stored for good: it never guesses bytes that were lost, as ftfy does, and repairs what ftfy leaves (of
 * 12,168 garbled emoji names in 16 languages, ftfy leaves 542 and extract 3: `Ã¥ben`, `mÄ…stantis`).
 */

const unlikelyPattern = new RegExp(unlikely, 'u');
const utf8Pattern = new RegExp(looksLikeUtf8, 'gu');

interface Encoding {
  sloppy: boolean;
  macroman: boolean;
  latin1: boolean;
  /** Whether text could have come out of this encoding. */
  possible: RegExp;
  bytes: ReadonlyMap<string, string>;
}

const candidates: readonly Encoding[] = encodings.map(({ name, characters }) => ({
  sloppy: name.startsWith('sloppy'),
  macroman: name === 'macroman',
  latin1: name === 'latin-1',
  possible: new RegExp(`^[\\u0000-\\u0019\\u001b-\\u007f${[...characters].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}]*$`, 'u'),
  bytes: new Map(Array.from(characters, (character, i) => [character, i === 128 ? '\x1A' : String.fromCharCode(0x80 + i)])),
}));

/** The characters of windows-1252 from 0x80 on; the five that it leaves open stand for themselves. */
export const windows1252 = encodings.find(({ name }) => name === 'sloppy-windows-1252')!.characters;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// eslint-disable-next-line no-control-regex
const ascii = /^[\x00-\x7F]*$/;
/** Utf-8 in which the byte A0 became a space. */
const altered =
  /[\xC2\xC3\xC5\xCE\xD0\xD9][ ]|[\xE2\xE3][ ][\x80-\x84\x86-\x9F\xA1-\xBF]|[\xE0-\xE3][\x80-\x84\x86-\x9F\xA1-\xBF][ ]|[\xF0][ ][\x80-\xBF][\x80-\xBF]|[\xF0][\x80-\xBF][ ][\x80-\xBF]|[\xF0][\x80-\xBF][\x80-\xBF][ ]/g;
const aGraveWord = /\xC3 (?! |quele|quela|quilo|s )/g;
/** Utf-8 of which a byte was lost: 1A stands for it. */
const lossy =
  // eslint-disable-next-line no-control-regex
  /[\xC2-\xDF][\x1A]|[\xC2-\xC3][?]|\xED[\xA0-\xAF][\x1A?]\xED[\xB0-\xBF][\x1A?\x80-\xBF]|\xED[\xA0-\xAF][\x1A?\x80-\xBF]\xED[\xB0-\xBF][\x1A?]|[\xE0-\xEF][\x1A?][\x1A\x80-\xBF]|[\xE0-\xEF][\x1A\x80-\xBF][\x1A?]|[\xF0-\xF4][\x1A?][\x1A\x80-\xBF][\x1A\x80-\xBF]|[\xF0-\xF4][\x1A\x80-\xBF][\x1A?][\x1A\x80-\xBF]|[\xF0-\xF4][\x1A\x80-\xBF][\x1A\x80-\xBF][\x1A?]|\x1A/g;
const cesu8 = /\xED[\xA0-\xAF][\x80-\xBF]\xED[\xB0-\xBF][\x80-\xBF]/g;

export function fixEncoding(text: string): string {
  for (;;) {
    const fixed = fixOnce(text);
    if (fixed === text) return text;
    text = fixed;
  }
}

function fixOnce(text: string): string {
  if (ascii.test(text) || !unlikelyPattern.test(text)) return text;
  let latin1 = false;
  for (const encoding of candidates) {
    if (!encoding.possible.test(text)) continue;
    latin1 ||= encoding.latin1;
    const decoded = decodeAsUtf8(encode(text, encoding), encoding);
    if (decoded !== undefined) return decoded;
  }
  // Pieces of the text that were read wrongly. A piece is shorter than the text, so this ends.
  const pieces = text.replaceAll(utf8Pattern, (piece) => (piece.length < text.length && unlikelyPattern.test(piece) ? fixEncoding(piece) : piece));
  if (pieces !== text) return pieces;
  // Latin-1 that was meant to be Windows-1252: strict, so not where a byte has no character there.
  if (latin1 && !/[\u0081\u008D\u008F\u0090\u009D]/.test(text)) {
    const fixed = fixC1Controls(text);
    if (fixed !== text) return fixed;
  }
  return fixC1Controls(text);
}

/** C1 controls as browsers read them: Windows-1252. */
export function fixC1Controls(text: string): string {
  return text.replaceAll(/[\u0080-\u009F]/g, (control) => windows1252[control.charCodeAt(0) - 0x80]!);
}

function encode(text: string, { bytes }: Encoding): string {
  let out = '';
  for (const character of text) out += bytes.get(character) ?? character;
  return out;
}

function decodeAsUtf8(bytes: string, { sloppy, macroman }: Encoding): string | undefined {
  // In MacRoman the pattern would match an en dash before a space.
  if (!macroman && bytes.search(altered) >= 0) {
    bytes = bytes.replaceAll(aGraveWord, '\xC3\xA0 ').replaceAll(altered, (match) => match.replaceAll(' ', '\xA0'));
  }
  if (sloppy) bytes = bytes.replaceAll(lossy, '\xEF\xBF\xBD');
  // Variants of utf-8: surrogates written one by one, and Java's two bytes for zero.
  bytes = bytes.replaceAll(cesu8, cesu8Character).replaceAll('\xC0\x80', '\0');
  try {
    return decoder.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return undefined;
  }
}

/** Six bytes of two surrogates as the four bytes of their character. */
function cesu8Character(sequence: string): string {
  const byte = (i: number): number => sequence.charCodeAt(i);
  const code = ((byte(1) & 0x0f) << 16) + ((byte(2) & 0x3f) << 10) + ((byte(4) & 0x0f) << 6) + (byte(5) & 0x3f) + 0x1_0000;
  return Buffer.from(String.fromCodePoint(code), 'utf8').toString('latin1');
}

import { pythonFloat } from '../../formats/sample-json.ts';
import { gpsTags, interoperabilityTags, mainTags, type TagNames } from './exif-tags.ts';
import { exifWords } from './exif-words.ts';

/** Bytes of a value by TIFF type; 0 where there is no such type. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4];
const ASCII = 2;
/** What a hostile header may cost. */
const MAX_TAGS = 400;
const MAX_VALUES = 20_000;
const MAX_TEXT_BYTES = 10_000;

/** exifread prints this many values of a longer list, and none of one that is longer still. */
const PRINTED_VALUES = 20;
const MAX_PRINTED_WHOLE = 50;
const MAX_READ = 999;

/** Binary, long, and of no use in a table: XMP, maker notes, user comments. img2dataset has exifread leave them out. */
const LEFT_OUT = new Set([0x02bc, 0x927c, 0x9286]);
/** Text without the ASCII type: PageName, ExifVersion, XPAuthor, FlashPixVersion. */
const TEXT_TAGS = new Set([0x011d, 0x9000, 0x9c9d, 0xa000]);

const EXIF_OFFSET = 'Image ExifOffset';
const SUBDIRECTORIES: Readonly<Record<number, readonly [name: string, names: TagNames]>> = {
  0x8825: ['GPS', gpsTags],
  0xa005: ['Interoperability', interoperabilityTags],
};

/**
 * The tags of a TIFF header by exifread's names (`Image Make`, `EXIF FNumber`, `Thumbnail …`, `GPS …`), in its order and printed as it prints
 * them (exifread/classes.py). Undefined where it is no such header; throws RangeError where a value lies beyond its end.
 */
export function readExif(tiff: Buffer): Record<string, string> | undefined {
  const order = tiff.toString('latin1', 0, 2);
  if (order !== 'II' && order !== 'MM') return undefined;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const little = order === 'II';
  const tags: Record<string, string> = {};
  let [tagsLeft, valuesLeft] = [MAX_TAGS, MAX_VALUES];

  const readDirectory = (directory: string, start: number, names: TagNames): void => {
    const entries = view.getUint16(start, little);
    for (let i = 0; i < entries && tagsLeft > 0 && valuesLeft > 0; i++, tagsLeft--) {
      const entry = start + 2 + 12 * i;
      const tag = view.getUint16(entry, little);
      const type = view.getUint16(entry + 2, little);
      const count = view.getUint32(entry + 4, little);
      const size = TYPE_BYTES[type] ?? 0;
      if (size === 0 || LEFT_OUT.has(tag)) continue;
      const at = size * count > 4 ? view.getUint32(entry + 8, little) : entry + 8;
      const coded = names === mainTags ? exifWords[tag] : undefined;
      const name = `${directory} ${names[tag] ?? `Tag 0x${tag.toString(16).toUpperCase().padStart(4, '0')}`}`;
      if (type === ASCII) {
        const text = readText(tiff.subarray(at, at + Math.min(count, MAX_TEXT_BYTES)), count > MAX_TEXT_BYTES);
        tags[name] = stripped(coded ? [...text].map(quoted).join('') : text);
        continue;
      }
      const values = readValues(type, at, count > MAX_READ ? 0 : count, size);
      const subdirectory = names === mainTags ? SUBDIRECTORIES[tag] : undefined;
      if (subdirectory && values.length > 0) readDirectory(subdirectory[0], Number(values[0]), subdirectory[1]);
      tags[name] = stripped(
        coded ? values.map((value) => coded[Number(value)] ?? value).join('') : printed(values, count, names === mainTags && TEXT_TAGS.has(tag)),
      );
    }
  };

  const readValues = (type: number, at: number, count: number, size: number): string[] => {
    const read = Math.min(count, valuesLeft);
    valuesLeft -= read;
    return Array.from({ length: read }, (_, i) => value(type, at + i * size));
  };

  const value = (type: number, at: number): string => {
    if (type === 3) return String(view.getUint16(at, little));
    if (type === 4 || type === 13) return String(view.getUint32(at, little));
    if (type === 5) return ratio(view.getUint32(at, little), view.getUint32(at + 4, little));
    if (type === 6) return String(view.getInt8(at));
    if (type === 8) return String(view.getInt16(at, little));
    if (type === 9) return String(view.getInt32(at, little));
    if (type === 10) return ratio(view.getInt32(at, little), view.getInt32(at + 4, little));
    // exifread keeps each float in a tuple.
    if (type === 11) return `(${pythonFloat(view.getFloat32(at, little))},)`;
    if (type === 12) return `(${pythonFloat(view.getFloat64(at, little))},)`;
    return String(view.getUint8(at));
  };

  const seen = new Set<number>();
  for (let start = view.getUint32(4, little); start > 0 && start + 2 <= tiff.byteLength && !seen.has(start);) {
    const directory = ['Image', 'Thumbnail'][seen.size] ?? `IFD ${seen.size}`;
    seen.add(start);
    readDirectory(directory, start, mainTags);
    const next = start + 2 + 12 * view.getUint16(start, little);
    start = next + 4 <= tiff.byteLength ? view.getUint32(next, little) : 0;
  }
  if (tags[EXIF_OFFSET] !== undefined) readDirectory('EXIF', Number(tags[EXIF_OFFSET]), mainTags);
  return tags;
}

/** Python's print of a list, or of its only value. */
function printed(values: readonly string[], count: number, isText: boolean): string {
  if (isText) return charactersOf(values.map(Number));
  if (count === 1) return values[0]!;
  if (count > MAX_PRINTED_WHOLE && values.length > PRINTED_VALUES) return `[${values.slice(0, PRINTED_VALUES).join(', ')}, ... ]`;
  return `[${values.join(', ')}]`;
}

/** exifread's make_string: the characters that can be printed, else the numbers, else nothing. */
function charactersOf(codes: readonly number[]): string {
  const characters = codes.filter((code) => code >= 32 && code < 256);
  if (characters.length > 0) return String.fromCharCode(...characters);
  const numbers = codes.join('');
  return /^0+$/.test(numbers) ? '' : numbers;
}

/** UTF-8 up to the first zero; Python's print of the bytes where it is none. */
function readText(bytes: Buffer, isCut: boolean): string {
  const zero = bytes.indexOf(0);
  const text = zero < 0 ? bytes : bytes.subarray(0, zero);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text, { stream: isCut && zero < 0 });
  } catch {
    return bytesLiteral(text);
  }
}

function bytesLiteral(bytes: Buffer): string {
  const quote = bytes.includes("'") && !bytes.includes('"') ? '"' : "'";
  const names: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\\': '\\\\', [quote]: `\\${quote}` };
  const characters = [...bytes.toString('latin1')].map(
    (character) => names[character] ?? (/[ -~]/.test(character) ? character : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`),
  );
  return `b${quote}${characters.join('')}${quote}`;
}

function quoted(character: string): string {
  return character === "'" ? `"'"` : `'${character}'`;
}

/** What Python's str.strip takes for blank. */
const BLANKS = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const outerBlanks = new RegExp(`^${BLANKS}|${BLANKS}$`, 'g');

function stripped(text: string): string {
  return text.replace(outerBlanks, '');
}

/** In lowest terms, as Python's Fraction prints it: `1/60`, `2`. */
function ratio(numerator: number, denominator: number): string {
  if (denominator === 0) return `${numerator}/0`;
  let [a, b] = [Math.abs(numerator), Math.abs(denominator)];
  while (b > 0) [a, b] = [b, a % b];
  const sign = denominator < 0 ? -1 : 1;
  const [top, bottom] = [(sign * numerator) / a, Math.abs(denominator) / a];
  return bottom === 1 ? String(top) : `${top}/${bottom}`;
}

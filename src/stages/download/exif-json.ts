import { type ExifDirectory, exifTagName, orientationNames } from './exif-tags.ts';

/** Bytes of a value by TIFF type; 0 where there is no such type. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4];
const ASCII = 2;
/** What a hostile header may cost. */
const MAX_TAGS = 400;
const MAX_VALUES = 50;
const MAX_TEXT_BYTES = 10_000;

/** Binary, long, and of no use in a table: XMP, maker notes, user comments. exifread leaves them out as well. */
const LEFT_OUT = new Set([0x02bc, 0x927c, 0x9286]);
/** Text without the ASCII type. */
const TEXT_TAGS = new Set([0x9000, 0xa000]);

const SUBDIRECTORIES: Readonly<Record<number, ExifDirectory>> = { 0x8769: 'EXIF', 0x8825: 'GPS' };

/**
 * EXIF as img2dataset writes it: a JSON object of strings by exifread's names (`Image Make`, `EXIF FNumber`, `GPS …`).
 * Coded values stay numbers, but for the orientation. `{}` where there is none; null where it can't be read.
 * `block` is the EXIF block, with or without its `Exif\0\0`.
 */
export function exifJson(block: Uint8Array | undefined): string | null {
  if (!block) return '{}';
  try {
    return pythonJson(readExif(block));
  } catch (error) {
    // An offset beyond the end: the header is damaged.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Python's `json.dumps` of strings by name. */
function pythonJson(tags: Readonly<Record<string, string>>): string {
  const text = `{${Object.entries(tags)
    .map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`)
    .join(', ')}}`;
  return text.replace(/[\u007F-\uFFFF]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const ORIENTATION = 0x0112;

/** EXIF's orientation, 1 to 8; undefined where the block does not say it plainly, and libvips has to be asked. */
export function exifOrientation(block: Uint8Array): number | undefined {
  const tiff = Buffer.from(block.buffer, block.byteOffset, block.byteLength).subarray(6);
  const order = tiff.toString('latin1', 0, 2);
  if (order !== 'II' && order !== 'MM') return undefined;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const little = order === 'II';
  try {
    const directory = view.getUint32(4, little);
    const entries = view.getUint16(directory, little);
    for (let entry = directory + 2; entry < directory + 2 + 12 * entries; entry += 12) {
      if (view.getUint16(entry, little) !== ORIENTATION) continue;
      const value = view.getUint16(entry + 8, little);
      return view.getUint16(entry + 2, little) === 3 && value >= 1 && value <= 8 ? value : undefined;
    }
    return 1;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readExif(block: Uint8Array): Record<string, string> {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  const tiff = bytes.toString('latin1', 0, 4) === 'Exif' ? bytes.subarray(6) : bytes;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const order = tiff.toString('latin1', 0, 2);
  if (order !== 'II' && order !== 'MM') return {};
  const little = order === 'II';
  const tags: Record<string, string> = {};
  let left = MAX_TAGS;

  const readDirectory = (directory: ExifDirectory, start: number): void => {
    const entries = view.getUint16(start, little);
    for (let i = 0; i < entries && left > 0; i++, left--) {
      const entry = start + 2 + 12 * i;
      const tag = view.getUint16(entry, little);
      const type = view.getUint16(entry + 2, little);
      const count = view.getUint32(entry + 4, little);
      const size = TYPE_BYTES[type] ?? 0;
      if (size === 0 || LEFT_OUT.has(tag)) continue;
      const at = size * count > 4 ? view.getUint32(entry + 8, little) : entry + 8;
      tags[exifTagName(directory, tag)] = printable(tag, type, at, count, size);
      const inner = directory === 'Image' ? SUBDIRECTORIES[tag] : undefined;
      if (inner) readDirectory(inner, view.getUint32(entry + 8, little));
    }
  };

  const printable = (tag: number, type: number, at: number, count: number, size: number): string => {
    if (type === ASCII || TEXT_TAGS.has(tag)) {
      const text = tiff.toString('utf8', at, at + Math.min(count, MAX_TEXT_BYTES));
      return text.split('\0')[0]!.trim();
    }
    const values: string[] = [];
    for (let i = 0; i < Math.min(count, MAX_VALUES); i++) values.push(value(type, at + i * size));
    if (tag === 0x0112 && values.length === 1) return orientationNames[Number(values[0])] || values[0]!;
    if (count === 1) return values[0]!;
    return `[${values.join(', ')}${count > MAX_VALUES ? ', ...' : ''}]`;
  };

  const value = (type: number, at: number): string => {
    if (type === 3) return String(view.getUint16(at, little));
    if (type === 4 || type === 13) return String(view.getUint32(at, little));
    if (type === 5) return ratio(view.getUint32(at, little), view.getUint32(at + 4, little));
    if (type === 6) return String(view.getInt8(at));
    if (type === 8) return String(view.getInt16(at, little));
    if (type === 9) return String(view.getInt32(at, little));
    if (type === 10) return ratio(view.getInt32(at, little), view.getInt32(at + 4, little));
    if (type === 11) return String(view.getFloat32(at, little));
    if (type === 12) return String(view.getFloat64(at, little));
    return String(view.getUint8(at));
  };

  readDirectory('Image', view.getUint32(4, little));
  return tags;
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

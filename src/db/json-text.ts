/** Writes JSON values into a buffer: as many as there are rows times columns, which `JSON.stringify` a row is too slow for. */

/** Digits after the point that say a share exactly enough for a float32 from 0.001 to 1. */
const DIGITS = 10;
/** Bytes that a number or a short word takes at most. */
export const MAX_SCALAR_BYTES = 32;

/** Writes a number at `at` and returns where it ends. What JSON has no number for goes in as text. */
export function writeNumber(bytes: Buffer, at: number, value: number): number {
  if (value === Math.trunc(value) && value > -1e9 && value < 1e9 && !Object.is(value, -0)) return writeInteger(bytes, at, value);
  if (!Number.isFinite(value)) return at + bytes.write(`"${value}"`, at, 'latin1');
  return at + bytes.write(Object.is(value, -0) ? '-0' : String(value), at, 'latin1');
}

/** The same for a value that is read as float32 again: fewer digits do, and they are faster to write. */
export function writeFloat32(bytes: Buffer, at: number, value: number): number {
  if (!(value > 0.001 && value < 1)) return writeNumber(bytes, at, value);
  const scaled = Math.round(value * 10 ** DIGITS);
  if (Math.fround(scaled / 10 ** DIGITS) !== value) return writeNumber(bytes, at, value);
  bytes[at] = ZERO;
  bytes[at + 1] = POINT;
  // In two halves: all of it is more than an int32.
  let high = Math.floor(scaled / 1e5);
  let low = scaled - high * 1e5;
  for (let i = 4; i >= 0; i--, high = (high / 10) | 0, low = (low / 10) | 0) {
    bytes[at + 2 + i] = ZERO + (high % 10);
    bytes[at + 7 + i] = ZERO + (low % 10);
  }
  let end = at + 2 + DIGITS;
  while (bytes[end - 1] === ZERO) end--;
  return end;
}

function writeInteger(bytes: Buffer, at: number, value: number): number {
  let rest = Math.abs(value);
  let end = at + (value < 0 ? 1 : 0);
  for (let power = 1; ; power *= 10) {
    end++;
    if (power * 10 > rest) break;
  }
  for (let i = end - 1; ; i--) {
    bytes[i] = ZERO + (rest % 10);
    rest = (rest / 10) | 0;
    if (rest === 0) break;
  }
  if (value < 0) bytes[at] = MINUS;
  return end;
}

/** Bytes that a text takes at most. */
export function textRoom(text: Uint8Array): number {
  return 6 * text.length + 2;
}

/** Writes utf-8 bytes as a JSON string. */
export function writeText(bytes: Buffer, at: number, text: Uint8Array): number {
  let end = at;
  bytes[end++] = QUOTE;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i]!;
    if (byte === QUOTE || byte === BACKSLASH) bytes[end++] = BACKSLASH;
    if (byte < SPACE) end += bytes.write(`\\u${byte.toString(16).padStart(4, '0')}`, end, 'latin1');
    else bytes[end++] = byte;
  }
  bytes[end++] = QUOTE;
  return end;
}

const [ZERO, POINT, MINUS, QUOTE, BACKSLASH, SPACE] = [48, 46, 45, 34, 92, 32];

/**
 * Reads one flat JSON object (string values only, no white space between tokens, as Common Crawl's extractor writes
 * the links of a page) out of a buffer, given the place of one of its values. Anything else is left to JSON.parse.
 */
export interface FlatLink {
  url: string | undefined;
  alt: string | undefined;
  /** Position after the closing brace. */
  end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = 0x7b;
const LIST = 0x5b;
const CLOSE = 0x7d;

/** Set by `stringEnd`: whether the string has an escape, a byte beyond ASCII. */
let escaped = false;
let wide = false;

/** Position of the closing quote of the string whose first byte is at `at`; -1 where there is none, or a control character. */
function stringEnd(bytes: Buffer, at: number, limit: number): number {
  escaped = false;
  wide = false;
  for (; at < limit; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) {
      escaped = true;
      at++;
    } else if (byte > 127) wide = true;
    else if (byte < 32) return -1;
  }
  return -1;
}

/** The string between quotes, as `stringEnd` has found it; undefined where an escape is wrong. */
function stringValue(bytes: Buffer, start: number, end: number): string | undefined {
  if (!escaped) return wide ? bytes.toString('utf8', start, end) : bytes.toString('latin1', start, end);
  try {
    return JSON.parse(bytes.toString('utf8', start - 1, end + 1)) as string;
  } catch {
    return undefined;
  }
}

/** Position of the opening quote of the string whose closing quote is at `at`, or -1. */
function stringStart(bytes: Buffer, at: number, limit: number): number {
  for (let i = at - 1; i >= limit; i--) {
    if (bytes[i] !== QUOTE) continue;
    let backslashes = 0;
    while (bytes[i - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return i;
  }
  return -1;
}

/** Where the object begins that holds the value whose opening quote is at `value`, or -1. */
function objectStart(bytes: Buffer, value: number, limit: number): number {
  // "key":"value" pairs, read backwards.
  for (let at = value; ;) {
    if (bytes[at - 1] !== COLON || bytes[at - 2] !== QUOTE) return -1;
    const key = stringStart(bytes, at - 2, limit);
    if (key < 0) return -1;
    // In a list: the HTTP header fields of a page are one flat object too, and may have any name.
    if (bytes[key - 1] === OPEN) return bytes[key - 2] === COMMA || bytes[key - 2] === LIST ? key - 1 : -1;
    if (bytes[key - 1] !== COMMA || bytes[key - 2] !== QUOTE) return -1;
    at = stringStart(bytes, key - 2, limit);
    if (at < 0) return -1;
  }
}

const isUrl = (bytes: Buffer, at: number): boolean => bytes[at] === 0x75 && bytes[at + 1] === 0x72 && bytes[at + 2] === 0x6c;
const isAlt = (bytes: Buffer, at: number): boolean => bytes[at] === 0x61 && bytes[at + 1] === 0x6c && bytes[at + 2] === 0x74;
const isPath = (bytes: Buffer, at: number): boolean => bytes[at] === 0x70 && bytes[at + 1] === 0x61 && bytes[at + 2] === 0x74 && bytes[at + 3] === 0x68;

/**
 * The link whose `path` value has its opening quote at `value`, within `from` to `to`. Undefined where the object is
 * not of the usual form, or the value is not that of `path`.
 */
export function readFlatLink(bytes: Buffer, value: number, from: number, to: number): FlatLink | undefined {
  let at = objectStart(bytes, value, from) + 1;
  if (at === 0) return undefined;
  const link: FlatLink = { url: undefined, alt: undefined, end: 0 };
  let path = -1;
  for (;;) {
    if (bytes[at] !== QUOTE) return undefined;
    const key = at + 1;
    const keyEnd = stringEnd(bytes, key, to);
    if (keyEnd < 0 || escaped || bytes[keyEnd + 1] !== COLON || bytes[keyEnd + 2] !== QUOTE) return undefined;
    const start = keyEnd + 3;
    const end = stringEnd(bytes, start, to);
    if (end < 0) return undefined;
    const length = keyEnd - key;
    if (length === 3 && isUrl(bytes, key)) {
      link.url = stringValue(bytes, start, end);
      if (link.url === undefined) return undefined;
    } else if (length === 3 && isAlt(bytes, key)) {
      link.alt = stringValue(bytes, start, end);
      if (link.alt === undefined) return undefined;
    } else if (length === 4 && isPath(bytes, key)) {
      // As in JSON.parse, the last of two equal keys counts.
      path = start - 1;
    } else if (escaped && stringValue(bytes, start, end) === undefined) return undefined;
    if (bytes[end + 1] === CLOSE) {
      link.end = end + 2;
      return path === value ? link : undefined;
    }
    if (bytes[end + 1] !== COMMA) return undefined;
    at = end + 2;
  }
}

/** Deeper JSON is refused: a WAT's is nine deep, and JSON.parse takes a hundred bytes for each byte of `[[[[`. */
const DEEPEST = 100;

/** Position after the object or array that opens at `at`, or -1 where it does not close before `to` or is nested absurdly deep. */
export function closingEnd(bytes: Buffer, at: number, to: number): number {
  let depth = 0;
  for (; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      for (at++; at < to && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
    } else if (byte === OPEN || byte === LIST) {
      if (++depth > DEEPEST) return -1;
    } else if ((byte === CLOSE || byte === 0x5d) && --depth === 0) return at + 1;
  }
  return -1;
}

const URL_KEY = Buffer.from('"url":"');

/** How far back a string's start is looked for: `https://www.creati`, every letter escaped. Further, a text of many such places takes hours. */
const FARTHEST = 128;

/** The value of a `url` key that `inside` lies near the start of, or undefined. */
export function urlAround(bytes: Buffer, inside: number, from: number, to: number): string | undefined {
  const start = stringStart(bytes, inside, Math.max(from, inside - FARTHEST)) + 1;
  if (start < from + URL_KEY.length || bytes.compare(URL_KEY, 0, URL_KEY.length, start - URL_KEY.length, start) !== 0) return undefined;
  const end = stringEnd(bytes, start, to);
  return end < 0 ? undefined : stringValue(bytes, start, end);
}

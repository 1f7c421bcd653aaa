import type { z } from 'zod';
import { keepNumbers, parsePythonJson, rawJson } from './raw-json.ts';

/**
 * The `json` member of a sample: Python's `json.dumps(meta, indent=4)`, as img2dataset writes it. Everything beyond
 * printable ASCII is escaped, U+007F too, so that lone surrogates survive; int64 is written digit by digit. One thing
 * differs: what is not a number is null, where Python writes `NaN`, which only Python reads.
 */
const INDENT = 4;

/**
 * The json of a row, keys in its order. A number without a fraction is an integer (`1`) unless its column is named in
 * `floats` (`1.0`); see `floatColumns`.
 */
export function sampleJson(row: Readonly<Record<string, unknown>>, floats: ReadonlySet<string> = none): Uint8Array {
  return asciiBytes(JSON.stringify(row, replacer(floats), INDENT));
}

/**
 * The same document with further keys, which replace those of the same name. Numbers keep their source text, so that the
 * 64-bit `hash` is not rounded; indent and ASCII escapes stay where the document has them. Throws where it is no JSON object.
 */
export function extendedJson(json: Uint8Array, more: Readonly<Record<string, unknown>>, floats: ReadonlySet<string> = none): Uint8Array {
  const text = Buffer.from(json).toString('utf8');
  const document = parsePythonJson(text, keepNumbers);
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw new Error(`it is no JSON object but ${text.slice(0, 40)}`);
  const extended = { ...document, ...Object.fromEntries(Object.entries(more).map(([name, value]) => [name, written(value, floats.has(name))])) };
  const result = JSON.stringify(extended, null, /^\{\r?\n( +)/.exec(text)?.[1]);
  return isAscii(text) ? asciiBytes(result) : Buffer.from(result);
}

/** The columns of a schema whose numbers are floats, also where they have no fraction. */
export function floatColumns(schema: z.ZodObject): ReadonlySet<string> {
  return new Set(Object.entries(schema.shape).flatMap(([name, type]) => (isFloat(type as z.ZodType) ? [name] : [])));
}

const none: ReadonlySet<string> = new Set();

function isFloat(type: z.ZodType): boolean {
  const { def } = type as z.ZodType & { def: { type: string; format?: string; innerType?: z.ZodType } };
  if (def.innerType) return isFloat(def.innerType);
  return def.type === 'number' && (def.format === undefined || def.format.startsWith('float'));
}

function replacer(floats: ReadonlySet<string>): (key: string, value: unknown) => unknown {
  return (key, value) => written(value, floats.has(key));
}

function written(value: unknown, float: boolean): unknown {
  if (typeof value === 'bigint') return rawJson(String(value));
  if (typeof value !== 'number' || !Number.isFinite(value) || (!float && Number.isSafeInteger(value))) return value;
  return rawJson(pythonFloat(value));
}

/** Python's repr of a float: the digits of JavaScript's, with an exponent below 1e-4 and from 1e16 on. */
export function pythonFloat(value: number): string {
  const [digits, exponentText] = value.toExponential().split('e') as [string, string];
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 16) {
    const plain = Object.is(value, -0) ? '-0' : String(value);
    return plain.includes('.') ? plain : `${plain}.0`;
  }
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function isAscii(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- all of ASCII
  return /^[\x00-\x7F]*$/.test(text);
}

function asciiBytes(text: string): Uint8Array {
  const escaped = text.replace(/[\u007F-\uFFFF]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return Buffer.from(escaped, 'latin1');
}

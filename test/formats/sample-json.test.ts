import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Pair, withFurtherColumns } from '../../src/contracts/records.ts';
import { extendedJson, floatColumns, sampleJson } from '../../src/formats/sample-json.ts';

interface Golden {
  row: Record<string, unknown>;
  floats: string[];
  json: string;
}

/** Written by sample-json.golden.py; whole numbers that a JavaScript number would round are read as bigint. */
const golden = JSON.parse(await readFile(new URL('sample-json.golden.json', import.meta.url), 'utf8'), (_key, value: unknown, context?: { source?: string }) =>
  typeof value === 'number' && /^-?\d{16,}$/.test(context!.source!) ? BigInt(context!.source!) : value,
) as Golden[];

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const bytesOf = (text: string): Uint8Array => Buffer.from(text);

describe('sampleJson', () => {
  test("equals Python's json.dumps(row, indent=4) on the golden rows", () => {
    expect(golden).toHaveLength(10);
    for (const { row, floats, json } of golden) expect(textOf(sampleJson(row, new Set(floats)))).toBe(json);
  });

  test('U+007F is escaped, as Python does, and so are lone surrogates', () => {
    expect(textOf(sampleJson({ caption: '~\u007f\u0080\ud800' }))).toBe('{\n    "caption": "~\\u007f\\u0080\\ud800"\n}');
  });

  test('what is not a number is null, so that every reader of JSON can read it', () => {
    expect(textOf(sampleJson({ a: Number.NaN, b: Number.POSITIVE_INFINITY }, new Set(['a', 'b'])))).toBe('{\n    "a": null,\n    "b": null\n}');
  });

  test('a whole number is written as a float where its column is one', () => {
    const schema = withFurtherColumns(Pair, { score: z.number().nullable(), count: z.int32().nullable() }, 'first');
    const floats = floatColumns(schema);
    expect([...floats]).toEqual(['score', 'similarity']);
    expect(textOf(sampleJson({ score: 1, count: 1, similarity: null }, floats))).toBe('{\n    "score": 1.0,\n    "count": 1,\n    "similarity": null\n}');
  });
});

describe('extendedJson', () => {
  const floats = new Set(['similarity']);

  test('adds keys to what Python wrote and changes nothing else, 64-bit numbers and floats included', () => {
    for (const { json } of golden.slice(1)) {
      const extended = textOf(extendedJson(bytesOf(json), { similarity: 0.25, NSFW: null }, floats));
      expect(extended).toBe(`${json.slice(0, -2)},\n    "similarity": 0.25,\n    "NSFW": null\n}`);
    }
  });

  test('U+007F has the spelling of `sampleJson`, however the document spelt it', () => {
    const written = textOf(sampleJson({ caption: '~\u007f' }));
    for (const document of [written, written.replace('\\u007f', '\u007f')])
      expect(textOf(extendedJson(bytesOf(document), { NSFW: null }))).toBe('{\n    "caption": "~\\u007f",\n    "NSFW": null\n}');
  });

  test('a key that is there already gets the new value in its place', () => {
    expect(textOf(extendedJson(bytesOf('{\n  "similarity": 0.1,\n  "hash": 9007199254740993\n}'), { similarity: 1 }, floats))).toBe(
      '{\n  "similarity": 1.0,\n  "hash": 9007199254740993\n}',
    );
  });

  test('a document without indent, or with characters beyond ASCII, stays so', () => {
    expect(textOf(extendedJson(bytesOf('{"caption": "Häuschen"}'), { NSFW: null }))).toBe('{"caption":"Häuschen","NSFW":null}');
  });

  test("Python's NaN becomes null; within a text it is a text", () => {
    const json = bytesOf('{"aesthetic": NaN, "low": -Infinity, "caption": "NaN \\" Infinity"}');
    expect(textOf(extendedJson(json, { NSFW: null }))).toBe('{"aesthetic":null,"low":null,"caption":"NaN \\" Infinity","NSFW":null}');
  });

  test('what is no JSON object is an error', () => {
    expect(() => extendedJson(bytesOf('[1]'), {})).toThrow(/no JSON object but \[1\]/);
    expect(() => extendedJson(bytesOf('{"a":'), {})).toThrow(SyntaxError);
  });
});

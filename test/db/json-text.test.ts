import { expect, test } from 'vitest';
import { MAX_SCALAR_BYTES, textRoom, writeFloat32, writeNumber, writeText } from '../../src/db/json-text.ts';

type Writer<T> = (bytes: Buffer, at: number, value: T) => number;

function written<T>(write: Writer<T>, value: T, room = MAX_SCALAR_BYTES): string {
  const bytes = Buffer.alloc(room + 3, '#');
  const end = write(bytes, 2, value);
  expect(end - 2).toBeLessThanOrEqual(room);
  expect(bytes[0]).toBe(35);
  return bytes.toString('utf8', 2, end);
}

const odd = [0, -0, 1, -1, 9, 10, 99, 100, 999_999_999, 1e9, 2 ** 31 - 1, -(2 ** 31), 2 ** 53, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 0.1, 1 / 3, -0.001];

test('numbers come back as they were', () => {
  const random = Array.from({ length: 5_000 }, (_, i) =>
    i % 2 === 0 ? Math.trunc((Math.random() - 0.5) * 10 ** (i % 12)) : (Math.random() - 0.5) * 10 ** ((i % 40) - 20),
  );
  for (const value of [...odd, ...random]) expect(JSON.parse(written(writeNumber, value))).toBe(value);
  expect([NaN, Infinity, -Infinity].map((value) => written(writeNumber, value))).toEqual(['"NaN"', '"Infinity"', '"-Infinity"']);
});

test('a float32 comes back as it was, in fewer digits', () => {
  const random = Array.from({ length: 20_000 }, (_, i) => Math.random() * 10 ** -(i % 6));
  for (const value of [...odd, ...random, 0.001, 0.9999999, 1 - 2 ** -24].map(Math.fround))
    expect(Math.fround(JSON.parse(written(writeFloat32, value)) as number)).toBe(value);
  expect(written(writeFloat32, Math.fround(0.9))).toBe('0.8999999762');
  expect(written(writeFloat32, 0.5)).toBe('0.5');
});

test('text comes back as it was', () => {
  const text = `"\\/\b\f\n\r\t\u0000\u001F\u007F – größer 猫 \u{1F600}`;
  const bytes = Buffer.from(text);
  expect(JSON.parse(written(writeText as Writer<Buffer>, bytes, textRoom(bytes)))).toBe(text);
});

import { expect, test } from 'vitest';
import type { Reject } from '../../src/contracts/records.ts';
import { AllRejects, type RejectedItem } from '../../src/runtime/rejects-kept.ts';

const item = (url: string): RejectedItem => ({ hash: null, url, text: null, value: null, threshold: null });

/** Adds items; what was handed on, and the most rows that were held at a time. */
function keep(urls: Iterable<string>): { groups: string[][]; rest: string[]; held: number } {
  const groups: string[][] = [];
  let held = 0;
  const kept = new AllRejects((rows: readonly Reject[]) => void groups.push(rows.map(({ url }) => url)));
  for (const url of urls) {
    kept.add('url-format', 0, item(url));
    held = Math.max(held, kept.rest().length);
  }
  return { groups, rest: kept.rest().map(({ url }) => url), held };
}

test('few rows are in memory at a time, however many there are', () => {
  const urls = Array.from({ length: 130_000 }, (_, i) => String(i));
  const { groups, rest, held } = keep(urls);
  expect(held).toBeLessThan(20_000);
  expect(groups.map(({ length }) => length)).toEqual([20_000, 20_000, 20_000, 20_000, 20_000, 20_000]);
  expect([...groups.flat(), ...rest]).toEqual(urls);
});

test('long rows are handed on sooner', () => {
  const long = 'x'.repeat(1_000_000);
  const { groups, rest, held } = keep(Array.from({ length: 40 }, () => long));
  expect(held).toBeLessThan(16);
  expect(groups.map(({ length }) => length)).toEqual([16, 16]);
  expect(rest).toHaveLength(8);
});

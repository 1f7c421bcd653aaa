import { expect, test } from 'vitest';
import { withoutRepeats } from '../../src/models/repeated-pictures.ts';

test('a picture is encoded once while it is remembered, in its place in every batch', async () => {
  const batches: number[][] = [];
  const encode = withoutRepeats(async (pictures) => {
    batches.push(pictures.map(([byte]) => byte!));
    return pictures.map(([byte]) => (byte === 99 ? new Error('broken') : Float32Array.of(byte!)));
  }, 1_048_000); // so many dimensions that four are kept
  const bytes = (...values: number[]): Uint8Array[] => values.map((value) => Uint8Array.of(value));
  const values = async (...pictures: number[]): Promise<(number | string)[]> =>
    (await encode(bytes(...pictures))).map((result) => (result instanceof Error ? result.message : result[0]!));

  expect(await values(1, 2, 1, 99, 2)).toEqual([1, 2, 1, 'broken', 2]);
  expect(await values(2, 3, 1)).toEqual([2, 3, 1]);
  expect(await values(99)).toEqual(['broken']);
  expect(await values(4, 5)).toEqual([4, 5]);
  expect(await values(3, 1, 2)).toEqual([3, 1, 2]);
  // 2 was the least lately used of five.
  expect(batches).toEqual([[1, 2, 99], [3], [99], [4, 5], [2]]);

  const [first] = (await encode(bytes(5))) as [Float32Array];
  first[0] = 0;
  expect(await values(5)).toEqual([5]);
});

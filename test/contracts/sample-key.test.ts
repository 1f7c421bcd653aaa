import { expect, test } from 'vitest';
import { sampleKey, shardName, shardsOfKey } from '../../src/contracts/sample-key.ts';

test("keys are img2dataset's: shard, then as many digits as the largest index may need, four at least", () => {
  expect(sampleKey('00000', 7, 10_000)).toBe('000000007');
  expect(sampleKey('00012', 9_999, 10)).toBe('000129999');
  expect(sampleKey('00012', 7, 20_000)).toBe('0001200007');
});

test('the shard of a key is found among those that are there', () => {
  for (const size of [10, 10_000, 20_000, 1_000_000]) {
    for (const number of [0, 7, 99_999, 100_000, 1_234_567]) {
      const [shard, last] = [shardName(number), sampleKey(shardName(number), size - 1, size)];
      expect(shardsOfKey(last)).toContain(shard);
    }
  }
  expect(shardsOfKey('000120007')).toEqual(['00012']);
  expect(shardsOfKey('0001200007')).toEqual(['00012']);
  // The shard 123450 of small shards, or 12345 of large ones.
  expect(shardsOfKey('1234500007')).toEqual(['123450', '12345']);
  expect(shardsOfKey('12')).toEqual([]);
});

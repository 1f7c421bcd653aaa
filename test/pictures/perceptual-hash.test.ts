import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HashNeighbours, splitHash } from '../../src/pictures/hash-neighbours.ts';
import { areaBrightness, perceptualHash } from '../../src/pictures/perceptual-hash.ts';
import { randomSource } from '../random-source.ts';

const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'perceptual-hash.golden.json'), 'utf8')) as Record<string, string>;

test.each(Object.entries(golden))('picture %s: the hash of imagehash.phash', (seed, wanted) => {
  const number = Number(seed);
  const brightness = Array.from({ length: 32 * 32 }, (_, at) => {
    const [i, j] = [at % 32, Math.floor(at / 32)];
    return (i * (number + 3) * 7 + j * (number + 5) * 11 + i * j * (number % 4)) % 256;
  });
  expect(perceptualHash(brightness)).toBe(wanted);
});

test('a picture of one colour has the hash of its mean alone, whatever the colour', () => {
  for (const value of [1, 127, 255]) expect(perceptualHash(new Uint8Array(1024).fill(value))).toBe('8000000000000000');
});

test.each([
  [32, 32, 1],
  [33, 61, 2],
  [64, 96, 3],
  [100, 47, 4],
] as const)('areas of %i x %i pixels of %i channels have the mean of their pixels, on white', (width, height, channels) => {
  const { next: random } = randomSource(width);
  const data = Uint8Array.from({ length: width * height * channels }, () => Math.floor(random() * 256));
  const pixel = (x: number, y: number): number => {
    const [first, second, third, fourth] = data.subarray((y * width + x) * channels);
    const grey = channels < 3 ? first! : 0.299 * first! + 0.587 * second! + 0.114 * third!;
    const alpha = channels % 2 === 1 ? 255 : channels === 2 ? second! : fourth!;
    return 255 + ((grey - 255) * alpha) / 255;
  };
  /** The part of pixel `at` that lies in an area. */
  const share = (at: number, area: number, side: number): number => Math.max(0, Math.min(at + 1, ((area + 1) * side) / 32) - Math.max(at, (area * side) / 32));
  const means = areaBrightness({ data, width, height, channels });
  for (let row = 0; row < 32; row++)
    for (let column = 0; column < 32; column++) {
      let sum = 0;
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) sum += pixel(x, y) * share(x, column, width) * share(y, row, height);
      expect(Math.abs(means[row * 32 + column]! - (sum * 1024) / (width * height))).toBeLessThanOrEqual(0.5 + 1e-9);
    }
});

test('neighbours are those that a look at each hash finds, at every distance', () => {
  const { next: random } = randomSource(7);
  const hash = (): bigint => (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32));
  const hex = (value: bigint): string => value.toString(16).padStart(16, '0');
  const bits = (value: bigint): number => value.toString(2).replaceAll('0', '').length;
  const known = Array.from({ length: 400 }, hash);
  // Some bits of a known one turned: near ones at every distance.
  const asked = known.map((value, i) => Array.from({ length: i % 14 }).reduce<bigint>((turned) => turned ^ (1n << BigInt(Math.floor(random() * 64))), value));
  for (const distance of [0, 3, 4, 7, 8, 11]) {
    const neighbours = new HashNeighbours(distance);
    for (const value of known) neighbours.add(...splitHash(hex(value)));
    for (const value of asked) {
      const distances = known.map((each) => bits(each ^ value));
      const nearest = Math.min(...distances);
      const expected = nearest <= distance ? { entry: distances.indexOf(nearest), bits: nearest } : undefined;
      expect(neighbours.nearest(...splitHash(hex(value)))).toEqual(expected);
    }
  }
});

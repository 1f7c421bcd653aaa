import type { randomSource } from '../random-source.ts';

export type Random = ReturnType<typeof randomSource>;

/** Longest input: longer ones are cut, so that a round stays short. */
const LONGEST = 20_000;

const INTERESTING = [0, 1, 9, 10, 13, 0x20, 0x22, 0x26, 0x2c, 0x3c, 0x3e, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d, 0x7f, 0x80, 0xc3, 0xed, 0xff];
const NUMBERS = ['0', '-1', '1', '65536', '2147483648', '4294967296', '99999999999999999999', '1e3', '0x10', ' 5', ''];

/** A changed copy of an input: one to six of the changes that fuzzers make, with words of the format and parts of other inputs. */
export function mutate(input: Buffer, random: Random, words: readonly string[], others: readonly Buffer[]): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let i = 1 + random.below(random.below(6) + 1); i > 0; i--) bytes = random.pick(changes)(bytes, random, words, others);
  return bytes.subarray(0, LONGEST);
}

type Change = (bytes: Buffer, random: Random, words: readonly string[], others: readonly Buffer[]) => Buffer;

/** The bytes with those between two places replaced. */
function spliced(bytes: Buffer, from: number, to: number, instead: Buffer | string): Buffer {
  return Buffer.concat([bytes.subarray(0, from), Buffer.from(instead), bytes.subarray(to)]);
}

function range(bytes: Buffer, random: Random): [number, number] {
  const from = random.below(bytes.length + 1);
  const most = random.next() < 0.8 ? 32 : bytes.length;
  return [from, Math.min(bytes.length, from + 1 + random.below(most))];
}

const changes: readonly Change[] = [
  (bytes, random) => {
    if (bytes.length > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
    return bytes;
  },
  (bytes, random) => {
    if (bytes.length > 0) bytes[random.below(bytes.length)] = random.pick([random.pick(INTERESTING), random.below(256)]);
    return bytes;
  },
  (bytes, random) => spliced(bytes, ...range(bytes, random), ''),
  (bytes, random, words) => spliced(bytes, ...range(bytes, random), random.pick(words)),
  (bytes, random, words) => {
    const [at] = range(bytes, random);
    return spliced(bytes, at, at, random.pick(words));
  },
  (bytes, random) => {
    const [at] = range(bytes, random);
    return spliced(bytes, at, at, Buffer.from([random.pick(INTERESTING)]));
  },
  // A part once more, elsewhere or many times over.
  (bytes, random) => {
    const part = bytes.subarray(...range(bytes, random));
    const at = random.below(bytes.length + 1);
    return spliced(bytes, at, at, Buffer.concat(Array.from({ length: random.next() < 0.1 ? random.below(400) : 1 }, () => part)));
  },
  (bytes, random, _, others) => {
    const other = random.pick(others);
    return spliced(bytes, ...range(bytes, random), other.subarray(...range(other, random)));
  },
  (bytes, random, _, others) => Buffer.concat([bytes.subarray(0, random.below(bytes.length + 1)), random.pick(others).subarray(range(bytes, random)[0])]),
  // A number in the text.
  (bytes, random) => {
    const from = bytes.findIndex((byte, i) => i >= random.below(bytes.length + 1) && byte >= 0x30 && byte <= 0x39);
    if (from < 0) return bytes;
    let to = from;
    while (to < bytes.length && bytes[to]! >= 0x30 && bytes[to]! <= 0x39) to++;
    return spliced(bytes, from, to, random.pick(NUMBERS));
  },
];

/** Hashes differ in at most this many bits: beyond it, looking into tables costs more than it saves. */
export const MAX_HASH_DISTANCE = 11;

const BANDS = 4;
const BAND_VALUES = 65_536;

/**
 * Finds 64-bit hashes within a number of bits, exactly, by multi-index hashing: two hashes of 4 x 16 bits that differ in d bits agree in
 * one of the four parts but for d / 4 bits. Memory: 24 bytes a hash that was added, and 1 MB.
 */
export class HashNeighbours {
  readonly #distance: number;
  /** Masks of the bits in which a part may differ. */
  readonly #flips: readonly number[];
  #high = new Uint32Array(1024);
  #low = new Uint32Array(1024);
  /** Of each part: the entry that was added last with a value, and the entry before each entry; -1 ends. */
  readonly #last = Array.from({ length: BANDS }, () => new Int32Array(BAND_VALUES).fill(-1));
  #before = Array.from({ length: BANDS }, () => new Int32Array(1024));
  size = 0;

  constructor(distance: number) {
    this.#distance = distance;
    this.#flips = flipsOf(Math.floor(distance / BANDS));
  }

  add(high: number, low: number): void {
    if (this.size === this.#high.length) this.#grow();
    const entry = this.size++;
    this.#high[entry] = high;
    this.#low[entry] = low;
    for (let band = 0; band < BANDS; band++) {
      const value = partOf(band, high, low);
      this.#before[band]![entry] = this.#last[band]![value]!;
      this.#last[band]![value] = entry;
    }
  }

  /** The entry that is nearest, the one added first of several, and how many bits it differs in; undefined where none is near enough. */
  nearest(high: number, low: number): { entry: number; bits: number } | undefined {
    let [best, fewest] = [-1, this.#distance + 1];
    for (let band = 0; band < BANDS; band++) {
      const value = partOf(band, high, low);
      const before = this.#before[band]!;
      for (const flip of this.#flips)
        for (let entry = this.#last[band]![value ^ flip]!; entry >= 0; entry = before[entry]!) {
          const bits = bitsOf(this.#high[entry]! ^ high) + bitsOf(this.#low[entry]! ^ low);
          if (bits < fewest || (bits === fewest && entry < best)) [best, fewest] = [entry, bits];
        }
    }
    return best < 0 ? undefined : { entry: best, bits: fewest };
  }

  #grow(): void {
    const length = this.#high.length * 2;
    const larger = <T extends Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(values: T, into: T): T => {
      into.set(values);
      return into;
    };
    this.#high = larger(this.#high, new Uint32Array(length));
    this.#low = larger(this.#low, new Uint32Array(length));
    this.#before = this.#before.map((values) => larger(values, new Int32Array(length)));
  }
}

/** The halves of a hash of 16 hexadecimal digits. */
export function splitHash(hash: string): [high: number, low: number] {
  return [Number.parseInt(hash.slice(0, 8), 16), Number.parseInt(hash.slice(8), 16)];
}

function partOf(band: number, high: number, low: number): number {
  const half = band < 2 ? high : low;
  return band % 2 === 0 ? half >>> 16 : half & 0xffff;
}

/** All values of 16 bits with at most `most` bits set. */
function flipsOf(most: number): number[] {
  return Array.from({ length: BAND_VALUES }, (_, value) => value).filter((value) => bitsOf(value) <= most);
}

/** Bits that are set in 32. */
function bitsOf(value: number): number {
  let x = value - ((value >>> 1) & 0x5555_5555);
  x = (x & 0x3333_3333) + ((x >>> 2) & 0x3333_3333);
  x = (x + (x >>> 4)) & 0x0f0f_0f0f;
  return Math.imul(x, 0x0101_0101) >>> 24;
}

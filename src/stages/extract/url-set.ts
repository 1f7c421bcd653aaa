import { hashWords } from '../../formats/sample-hash.ts';

/**
 * A set of strings by their 128-bit hashes: 32 bytes an entry at most, where a Set of strings takes several hundred.
 * Two different strings are taken for one with a probability below 2^-80 for a billion of them.
 */
export class UrlSet {
  #table = new Uint32Array(4 * 1024);
  #size = 0;

  /** Adds the string; false where it was there. */
  add(text: string): boolean {
    if (8 * this.#size > this.#table.length) this.#grow();
    const [a, b, c, d] = hashWords(text) as unknown as [number, number, number, number];
    // An entry of zeros is free; the hash that is all zeros is stored as another one.
    return this.#insert(a, b, c, d || 1);
  }

  #insert(a: number, b: number, c: number, d: number): boolean {
    const table = this.#table;
    const mask = table.length / 4 - 1;
    for (let slot = a & mask; ; slot = (slot + 1) & mask) {
      const at = 4 * slot;
      if (table[at + 3] === 0) {
        table[at] = a;
        table[at + 1] = b;
        table[at + 2] = c;
        table[at + 3] = d;
        this.#size++;
        return true;
      }
      if (table[at] === a && table[at + 1] === b && table[at + 2] === c && table[at + 3] === d) return false;
    }
  }

  #grow(): void {
    const before = this.#table;
    this.#table = new Uint32Array(2 * before.length);
    this.#size = 0;
    for (let at = 0; at < before.length; at += 4) {
      if (before[at + 3] !== 0) this.#insert(before[at]!, before[at + 1]!, before[at + 2]!, before[at + 3]!);
    }
  }
}

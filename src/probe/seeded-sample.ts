import { createHash } from 'node:crypto';

/**
 * N items drawn at random: those whose hash with the seed is smallest. Which they are depends on the items alone, not on their order, and
 * at most 2 N are in memory.
 */
export class SeededSample<T> {
  readonly #seed: number;
  readonly #size: number;
  #kept: { order: bigint; item: T }[] = [];
  #bound: bigint | undefined;
  /** Items offered so far. */
  offered = 0;

  constructor(size: number, seed: number) {
    this.#size = size;
    this.#seed = seed;
  }

  /** `identity` is what the item is known by, whatever the order and the files. */
  offer(identity: string, item: T): void {
    this.offered++;
    const order = createHash('sha256').update(`${this.#seed} ${identity}`).digest().readBigUInt64LE();
    if (this.#bound !== undefined && order >= this.#bound) return;
    this.#kept.push({ order, item });
    if (this.#kept.length >= 2 * this.#size) this.#shrink();
  }

  /** The sample, in the order of the hashes. */
  items(): T[] {
    this.#shrink();
    return this.#kept.map(({ item }) => item);
  }

  #shrink(): void {
    this.#kept.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
    this.#kept.length = Math.min(this.#kept.length, this.#size);
    if (this.#kept.length === this.#size) this.#bound = this.#kept.at(-1)!.order;
  }
}

import type { LanePosition } from './bloom-chain.ts';
import type { BloomState } from './bloom-state.ts';

/**
 * The bloom filter that a thread keeps between two shards of one lane: one only, however many lanes it has served, since one may
 * take half of the memory.
 */
export class KeptState {
  #kept: { location: string; state: BloomState } | undefined;

  has(location: string, { after, chain }: LanePosition): boolean {
    return this.#kept?.location === location && this.#kept.state.position.after === after && this.#kept.state.position.chain === chain;
  }

  /**
   * Takes out what is kept; undefined where it is not the state of the dataset at that position, and then it is let go of. While a
   * shard runs the state changes: if the shard fails, the next one reads it again.
   */
  take(location: string, position: LanePosition): BloomState | undefined {
    const state = this.has(location, position) ? this.#kept!.state : undefined;
    this.#kept = undefined;
    return state;
  }

  put(location: string, state: BloomState): void {
    this.#kept = { location, state };
  }

  close(): void {
    this.#kept = undefined;
  }
}

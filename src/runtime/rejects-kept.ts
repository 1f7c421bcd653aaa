import type { Reject } from '../contracts/records.ts';

/** How many rejects of a reason and shard are kept unless all are. */
const SAMPLE_SIZE = 100;
/** Rejects are written when this many rows, or rows with this many characters, are in memory. */
const MAX_ROWS = 20_000;
const MAX_CHARACTERS = 16_000_000;

/** A dropped item; a function where making it costs something, called only for those that are kept. */
export type RejectedItem = Omit<Reject, 'reason'> | (() => Omit<Reject, 'reason'>);

/** Every reject, handed on in groups as they come: few are in memory at a time, however many there are. */
export class AllRejects {
  readonly #write: (rows: readonly Reject[]) => void;
  readonly #rows: Reject[] = [];
  #characters = 0;

  /** `write` gets a group of rows and keeps none of them. It must not wait: items are dropped within plain loops. */
  constructor(write: (rows: readonly Reject[]) => void) {
    this.#write = write;
  }

  add(reason: string, _position: number, item: RejectedItem): void {
    const reject = madeOf(reason, item);
    this.#rows.push(reject);
    this.#characters += reject.url.length + (reject.text?.length ?? 0) + (reject.value?.length ?? 0);
    if (this.#rows.length < MAX_ROWS && this.#characters < MAX_CHARACTERS) return;
    this.#write(this.#rows);
    this.#rows.length = 0;
    this.#characters = 0;
  }

  /** Those that were not handed on yet. */
  rest(): readonly Reject[] {
    return this.#rows;
  }
}

/**
 * A sample of 100 rejects a reason. Stages drop in input order, so the sample is one of positions: the 100 whose position
 * has the smallest hash.
 */
export class SampledRejects {
  readonly #seed: string;
  readonly #kept = new Map<string, { order: number; reject: Reject }[]>();
  /** Order below which an item still comes into the sample, by reason. */
  readonly #bounds = new Map<string, number>();

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** `position` is that among the drops of the reason, from 0. */
  add(reason: string, position: number, item: RejectedItem): void {
    const order = positionHash(this.#seed, position);
    if (order > (this.#bounds.get(reason) ?? Number.POSITIVE_INFINITY)) return;
    let kept = this.#kept.get(reason);
    if (!kept) this.#kept.set(reason, (kept = []));
    kept.push({ order, reject: madeOf(reason, item) });
    if (kept.length < 2 * SAMPLE_SIZE) return;
    shrink(kept);
    this.#bounds.set(reason, kept.at(-1)!.order);
  }

  /** The sample, reason by reason. */
  rest(): readonly Reject[] {
    return [...this.#kept.keys()].sort().flatMap((reason) => {
      const kept = this.#kept.get(reason)!;
      shrink(kept);
      return kept.map(({ reject }) => reject);
    });
  }
}

function madeOf(reason: string, item: RejectedItem): Reject {
  return { ...(typeof item === 'function' ? item() : item), reason };
}

function shrink(kept: { order: number }[]): void {
  kept.sort((a, b) => a.order - b.order);
  kept.length = Math.min(kept.length, SAMPLE_SIZE);
}

/** 32 bits of a position in a shard, well mixed (FNV-1a over the seed, then MurmurHash3's finaliser). */
function positionHash(seed: string, position: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
  hash ^= position;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

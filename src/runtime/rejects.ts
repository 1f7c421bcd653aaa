import { join } from 'node:path';
import type { Dropped, StageName } from '../contracts/drop-reason.ts';
import { Reject } from '../contracts/records.ts';
import { countParquetRows, writeParquet } from '../formats/parquet.ts';
import { publish } from './publication.ts';

/** How many rejects of a reason and shard are kept unless all are. */
const SAMPLE_SIZE = 100;

/** What is said of a dropped item; a function where saying it costs something, called only for those that are kept. */
export type Said = Omit<Reject, 'reason'> | (() => Omit<Reject, 'reason'>);

interface Kept {
  order: number;
  reject: Reject;
}

/**
 * Counts what a shard drops and keeps it for `rejects/STAGE/SHARD.parquet`: all, or a seeded sample of 100 a reason.
 * Stages drop in input order, so the sample is one of positions: the 100 whose position has the smallest hash.
 */
export class Rejects {
  readonly dropped: Dropped = {};
  readonly #kept = new Map<string, Kept[]>();
  /** Order below which an item still comes into the sample, by reason. */
  readonly #bounds = new Map<string, number>();
  readonly #all: boolean;
  readonly #seed: string;

  constructor(mode: 'sample' | 'all', seed: string) {
    this.#all = mode === 'all';
    this.#seed = seed;
  }

  add(reason: string, said: Said): void {
    const position = this.dropped[reason] ?? 0;
    this.dropped[reason] = position + 1;
    const order = this.#all ? position : positionHash(this.#seed, position);
    if (order > (this.#bounds.get(reason) ?? Number.POSITIVE_INFINITY)) return;
    let kept = this.#kept.get(reason);
    if (!kept) this.#kept.set(reason, (kept = []));
    kept.push({ order, reject: { ...(typeof said === 'function' ? said() : said), reason } });
    if (this.#all || kept.length < 2 * SAMPLE_SIZE) return;
    shrink(kept);
    this.#bounds.set(reason, kept.at(-1)!.order);
  }

  /** Writes the file (none where nothing was dropped) and checks that `all` means all. */
  async write(folder: string, stage: StageName, shard: string): Promise<void> {
    const reasons = [...this.#kept.keys()].sort();
    if (reasons.length === 0) return;
    const rows: Reject[] = [];
    for (const reason of reasons) {
      const kept = this.#kept.get(reason)!;
      if (!this.#all) shrink(kept);
      for (const { reject } of kept) rows.push(reject);
    }
    const path = join(folder, stage, `${shard}.parquet`);
    await publish({ reached: () => undefined }, async (publication) => {
      const temporary = await publication.file(path);
      await writeParquet(temporary, Reject, rows);
      if ((await countParquetRows(temporary)) !== rows.length) throw new Error(`${path}: not all rejects were written`);
    });
  }
}

function shrink(kept: Kept[]): void {
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

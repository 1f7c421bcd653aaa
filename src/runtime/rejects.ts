import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Dropped, StageName } from '../contracts/drop-reason.ts';
import { Reject } from '../contracts/records.ts';
import { countParquetRows, writeParquet } from '../formats/parquet.ts';
import { publish } from './publication.ts';

/** How many rejects of a reason and shard are kept unless all are. */
const SAMPLE_SIZE = 100;

/**
 * Counts what a shard drops and keeps it for `rejects/STAGE/SHARD.parquet`: all, or a seeded sample of 100 a reason.
 * The sample is the 100 smallest by a hash of the item, so it does not depend on the order of the drops.
 */
export class Rejects {
  readonly dropped: Dropped = {};
  readonly #kept = new Map<string, { order: string; reject: Reject }[]>();
  readonly #all: boolean;
  readonly #seed: string;

  constructor(mode: 'sample' | 'all', seed: string) {
    this.#all = mode === 'all';
    this.#seed = seed;
  }

  add(reject: Reject): void {
    const { reason } = reject;
    this.dropped[reason] = (this.dropped[reason] ?? 0) + 1;
    let kept = this.#kept.get(reason);
    if (!kept) this.#kept.set(reason, (kept = []));
    if (this.#all) {
      kept.push({ order: '', reject });
      return;
    }
    kept.push({ order: createHash('md5').update(`${this.#seed} ${reject.url} ${reject.text}`).digest('hex'), reject });
    if (kept.length >= 4 * SAMPLE_SIZE) shrink(kept);
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

function shrink(kept: { order: string; reject: Reject }[]): void {
  kept.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
  kept.length = Math.min(kept.length, SAMPLE_SIZE);
}

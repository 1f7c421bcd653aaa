import { type Dropped, totalDropped } from '../contracts/drop-reason.ts';
import type { Storage } from '../contracts/storage.ts';
import { AllRejects, type RejectedItem, SampledRejects } from './rejects-kept.ts';
import { RejectsFile } from './rejects-file.ts';

/**
 * Counts what a shard drops and keeps it for `rejects/STAGE/SHARD.parquet`: all, written as it comes and in that order, or a
 * seeded sample of 100 a reason, reason by reason, written at the end.
 */
export class Rejects {
  readonly dropped: Dropped = {};
  readonly #storage: Storage;
  readonly #scratch: string;
  readonly #name: string;
  readonly #kept: AllRejects | SampledRejects;
  /** Open from the start where all are kept. */
  #file: RejectsFile | undefined;

  private constructor(storage: Storage, scratch: string, name: string, kept: AllRejects | SampledRejects, file?: RejectsFile) {
    this.#storage = storage;
    this.#scratch = scratch;
    this.#name = name;
    this.#kept = kept;
    this.#file = file;
  }

  /** `name` is that of the file in the run; the seed decides the sample. */
  static async open(mode: 'sample' | 'all', storage: Storage, scratch: string, name: string, seed: string): Promise<Rejects> {
    if (mode === 'sample') return new Rejects(storage, scratch, name, new SampledRejects(seed));
    const file = await RejectsFile.open(storage, scratch, name);
    return new Rejects(storage, scratch, name, new AllRejects((rows) => file.writer.writeGroupSync(rows)), file);
  }

  add(reason: string, item: RejectedItem): void {
    const position = this.dropped[reason] ?? 0;
    this.dropped[reason] = position + 1;
    this.#kept.add(reason, position, item);
  }

  /** Moves the file into place; where nothing was dropped there is none. Checks that `all` means all. */
  async publish(): Promise<void> {
    if (totalDropped(this.dropped) === 0) {
      await this.discard();
      // Of an earlier making of this shard.
      await this.#storage.remove(this.#name);
      return;
    }
    const rest = this.#kept.rest();
    this.#file ??= await RejectsFile.open(this.#storage, this.#scratch, this.#name);
    for (const row of rest) await this.#file.writer.write(row);
    await this.#file.publish(this.#kept instanceof AllRejects ? totalDropped(this.dropped) : rest.length);
  }

  /** Lets go of what was written, after an error. */
  async discard(): Promise<void> {
    await this.#file?.discard();
  }
}

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dropped, totalDropped } from '../contracts/drop-reason.ts';
import { AllRejects, type Said, SampledRejects } from './rejects-kept.ts';
import { RejectsFile } from './rejects-file.ts';

/**
 * Counts what a shard drops and keeps it for `rejects/STAGE/SHARD.parquet`: all, written as it comes and in that order, or a
 * seeded sample of 100 a reason, reason by reason, written at the end.
 */
export class Rejects {
  readonly dropped: Dropped = {};
  readonly #path: string;
  readonly #kept: AllRejects | SampledRejects;
  /** Open from the start where all are kept. */
  #file: RejectsFile | undefined;

  private constructor(path: string, kept: AllRejects | SampledRejects, file?: RejectsFile) {
    this.#path = path;
    this.#kept = kept;
    this.#file = file;
  }

  /** `folder` is the stage's below `rejects/`; the seed decides the sample. */
  static async open(mode: 'sample' | 'all', folder: string, shard: string, seed: string): Promise<Rejects> {
    const path = join(folder, `${shard}.parquet`);
    if (mode === 'sample') return new Rejects(path, new SampledRejects(seed));
    const file = await RejectsFile.open(path);
    return new Rejects(path, new AllRejects((rows) => file.writer.writeGroupSync(rows)), file);
  }

  add(reason: string, said: Said): void {
    const position = this.dropped[reason] ?? 0;
    this.dropped[reason] = position + 1;
    this.#kept.add(reason, position, said);
  }

  /** Moves the file into place; where nothing was dropped there is none. Checks that `all` means all. */
  async publish(): Promise<void> {
    if (totalDropped(this.dropped) === 0) {
      await this.discard();
      // Of an earlier making of this shard.
      await rm(this.#path, { force: true });
      return;
    }
    const rest = this.#kept.rest();
    this.#file ??= await RejectsFile.open(this.#path);
    for (const row of rest) await this.#file.writer.write(row);
    await this.#file.publish(this.#kept instanceof AllRejects ? totalDropped(this.dropped) : rest.length);
  }

  /** Lets go of what was written, after an error. */
  async discard(): Promise<void> {
    await this.#file?.discard();
  }
}

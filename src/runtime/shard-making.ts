import { totalDropped, type Dropped } from '../contracts/drop-reason.ts';
import { ShardError } from '../contracts/errors.ts';
import { packageVersion } from '../contracts/package-root.ts';
import type { MadeBy, ShardStats } from '../contracts/shard-stats.ts';
import type { Effects, Journal, Shard, ShardResult, Stage } from '../contracts/stage.ts';
import type { Storage } from '../contracts/storage.ts';
import { joinLocation } from '../storage/location.ts';
import { openStorage } from '../storage/open-storage.ts';
import { PublishedFiles } from '../storage/published-files.ts';
import { isOurs, type Marker, readMarker, writeMarker } from './marker.ts';
import { Rejects } from './rejects.ts';
import { removeShard } from './remove-shard.ts';
import { digestOf, lineageOf } from './shard-digest.ts';
import type { JobHost, ShardJob } from './shard-job.ts';
import { ShardJournal } from './shard-journal.ts';

/** What a shard is made with. */
interface Making {
  stage: Stage;
  job: ShardJob & { shard: Shard };
  host: JobHost;
  /** The dataset that the stage writes. */
  own: Storage;
  scratch: string;
  /** Where another stage takes the samples. Their tar is then not kept. */
  handOver?: Effects['handOver'];
}

/**
 * One shard on its way: its files, its rejects and, last, its marker. Of a shard that is made again the old marker goes first, then its
 * files; where the stage swaps, the old files go last.
 */
export class ShardMaking {
  readonly effects: Effects;
  readonly #making: Making;
  readonly #started = Date.now();
  readonly #rejects: Rejects;
  readonly #files: PublishedFiles;
  readonly #old: Marker | undefined;
  #journal: ShardJournal | undefined;

  private constructor(making: Making, rejects: Rejects, old: Marker | undefined) {
    const { stage, job, host, own, scratch, handOver } = making;
    const { settings, shard, madeBy, redo } = job;
    this.#making = making;
    this.#rejects = rejects;
    this.#old = old;
    this.#files = new PublishedFiles(own, scratch, { keepsTars: handOver === undefined });
    this.effects = {
      signal: host.signal,
      files: this.#files,
      journal: async <Value>(key: unknown) => {
        this.#journal ??= await ShardJournal.open(settings.location, stage.name, shard.name, { key, madeBy, redo, version: packageVersion() });
        return this.#journal as Journal<Value>;
      },
      progress: host.progress,
      drop: (reason, item) => {
        rejects.add(reason, item);
        host.progress({ dropped: 1 });
      },
      reached: (point) => host.reached(`${stage.name}.${point}`),
      ...(handOver && { handOver }),
    };
  }

  static async begin(making: Making): Promise<ShardMaking> {
    const { stage, job, host, own, scratch } = making;
    const { settings, shard } = job;
    const storage = await openStorage(settings.rejectsLocation ?? joinLocation(settings.location, 'rejects'), host.environment);
    const rejects = await Rejects.open(settings.rejects, storage, scratch, `${stage.name}/${shard.name}.parquet`, `${stage.name} ${shard.name}`);
    try {
      const old = await readMarker(own, shard.name);
      if (old && !stage.swaps) await removeShard(own, shard.name, old, (point) => host.reached(`${stage.name}.${point}`));
      return new ShardMaking(making, rejects, old);
    } catch (error) {
      await rejects.discard();
      throw error;
    }
  }

  /** Counts, checks and moves everything into place; what is missing after that is the marker. `inputs`: where they were not known before. */
  async publish(result: ShardResult, inputs?: MadeBy['inputs']): Promise<ShardStats> {
    const { stage, job, host } = this.#making;
    const { shard, redo, lineages } = job;
    host.signal.throwIfAborted();
    const madeBy = inputs ? { ...job.madeBy, inputs } : job.madeBy;
    const out = await this.#countOut(result);
    assertReconciled(stage, shard, result.in, out, this.#rejects.dropped);
    const written = await this.#files.checksums();
    this.effects.reached('written');
    await this.#files.publish(host.signal);
    this.effects.reached('renamed');
    await this.#rejects.publish();
    const digest = digestOf(written, madeBy.inputs);
    const ended = Date.now();
    return {
      stage: stage.name,
      shard: shard.name,
      in: result.in,
      out,
      dropped: Object.fromEntries(Object.entries(this.#rejects.dropped).sort(([a], [b]) => (a < b ? -1 : 1))),
      ...(result.warnings && result.warnings.length > 0 && { warnings: result.warnings }),
      ...result.extra,
      duration: (ended - this.#started) / 1000,
      start_time: this.#started / 1000,
      end_time: ended / 1000,
      files: written,
      digest,
      ...(shard.after && { lineage: lineageOf(lineages, digest) }),
      made_by: madeBy,
      ...(redo !== undefined && { redo }),
      ...this.#files.removed(ended),
    };
  }

  /** Writes the marker: the shard is finished. */
  async mark(stats: ShardStats): Promise<void> {
    const { stage, own } = this.#making;
    this.effects.reached('unmarked');
    await writeMarker(own, stats);
    this.effects.reached('marked');
    await this.#journal?.remove();
    if (!this.#old || !stage.swaps || !isOurs(this.#old)) return;
    for (const { name } of this.#old.files) if (!stats.files.some((file) => file.name === name)) await own.remove(name);
  }

  /** Lets go of everything, after an error. */
  async discard(): Promise<void> {
    await this.#journal?.close();
    await this.#files.discard();
    await this.#rejects.discard();
  }

  async #countOut({ out }: ShardResult): Promise<number> {
    if (typeof out !== 'number') return this.#files.close(out);
    await this.#files.close([]);
    return out;
  }
}

function assertReconciled(stage: Stage, shard: Shard, taken: number, out: number, dropped: Dropped): void {
  if (taken === out + totalDropped(dropped)) return;
  const reasons = JSON.stringify(dropped);
  throw new ShardError(`${stage.name} ${shard.name}: counts do not reconcile: ${taken} in, ${out} out, dropped ${reasons}. Please report this.`);
}

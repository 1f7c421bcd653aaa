import type { DatasetState } from '../contracts/dataset.ts';
import type { MadeBy, SealedDataset, ShardStats } from '../contracts/shard-stats.ts';
import type { Plan, Shard, Stage } from '../contracts/stage.ts';
import type { Storage } from '../contracts/storage.ts';
import { byNumber } from './by-number.ts';
import { publishedShard } from './dataset-state.ts';
import { isOurs, type Marker, readMarkers } from './marker.ts';
import { readRecordedWork, recordWork } from './recorded-work.ts';
import type { RunSettings } from './run-settings.ts';
import { decidingOptions } from './deciding-options.ts';
import { readSeal, sealOf } from './seal.ts';
import { allBefore } from './shard-digest.ts';
import { type Verdict, verdictOf } from './shard-verdict.ts';
import { damageOf, type FileSizes, fileSizes } from './file-sizes.ts';

/** A planned shard that is to be made. */
export interface PendingShard {
  shard: Shard;
  madeBy: MadeBy;
  why: 'missing' | 'stale' | 'damaged' | 'redo';
  because?: string | undefined;
  lineages: readonly string[];
  lane: string;
}

export interface Refusal {
  shard: string;
  why: 'format' | 'options' | 'inputs' | 'foreign' | 'leftover';
  because: string;
}

/** What a command asks of a stage. */
interface Asked {
  /** Id of the open --redo. */
  redo?: string | undefined;
  /** True where this command opened it: the choices of earlier plans are forgotten. */
  isNewRedo?: boolean;
  /** Reasons of --retry-failed. */
  retry?: readonly string[] | undefined;
}

/** What there is of the dataset that a stage writes. */
interface Found {
  markers: Map<string, Marker>;
  recorded: Map<string, unknown>;
  sizes: FileSizes;
  seal: SealedDataset | undefined;
}

/**
 * What the coordinator knows of one stage: its markers, its plan as it follows from its inputs now, and what is to be done for each
 * planned shard. It decides and does not run anything.
 */
export class StageState {
  readonly stage: Stage;
  readonly storage: Storage;
  readonly #settings: RunSettings;
  readonly #markers: Map<string, Marker>;
  readonly #recorded: Map<string, unknown>;
  readonly #sizes: FileSizes;
  #models: Record<string, string> | undefined;
  #accepted: ShardStats[] = [];
  /** Shards whose removed files are needed again. */
  readonly #needed = new Set<string>();
  /** Finished shards that fit the plan, by name. */
  readonly valid = new Map<string, ShardStats>();
  pending: PendingShard[] = [];
  refusals: Refusal[] = [];
  /** Finished shards that the complete plan does not have any more. */
  leftovers: string[] = [];
  plan: Plan = { shards: [], complete: false };
  /** Id of the open --redo. */
  readonly redo: string | undefined;
  readonly #retry: readonly string[];
  readonly #finishedBefore: ReadonlySet<string>;
  /** True where `_sealed.json` names exactly the shards that are valid, and all are. */
  sealed = false;
  /** `_sealed.json` as it is there. */
  seal: SealedDataset | undefined;

  private constructor(stage: Stage, storage: Storage, settings: RunSettings, asked: Asked, found: Found) {
    this.stage = stage;
    this.storage = storage;
    this.redo = asked.redo;
    this.seal = found.seal;
    this.#settings = settings;
    this.#retry = asked.retry ?? [];
    this.#markers = found.markers;
    this.#recorded = found.recorded;
    this.#sizes = found.sizes;
    this.#finishedBefore = new Set(found.markers.keys());
  }

  /** Reads what is there. */
  static async open(stage: Stage, storage: Storage, settings: RunSettings, asked: Asked = {}): Promise<StageState> {
    const markers = await readMarkers(storage);
    const recorded = stage.records && !asked.isNewRedo ? await readRecordedWork(storage) : new Map<string, unknown>();
    const sizes = await fileSizes(storage, [...markers.values()].filter(isOurs));
    return new StageState(stage, storage, settings, asked, { markers, recorded, sizes, seal: await readSeal(storage) });
  }

  get markers(): Map<string, Marker> {
    return this.#markers;
  }

  /** What the stages after this one may read: finished shards, and whether that is all. */
  dataset(): DatasetState {
    const shards = [...this.valid.values()].filter(({ skipped }) => !skipped).map(publishedShard);
    return { shards: shards.sort((a, b) => byNumber(a.name, b.name)), sealed: this.sealed, ...(this.sealed && { record: this.seal?.record }) };
  }

  /** Plans anew from the state of the inputs and decides for each shard. Changes nothing but the record of choices. */
  async evaluate(datasets: Readonly<Record<string, DatasetState>>, environment: Readonly<Record<string, string | undefined>>): Promise<void> {
    const { stage } = this;
    const options = this.#settings.options[stage.name] ?? {};
    this.plan = await stage.plan({
      options,
      input: this.#settings.inputs[stage.name],
      datasets,
      own: this.#ownState(),
      redo: this.redo !== undefined,
      ...(this.#retry.length > 0 && { retry: { reasons: this.#retry, finishedBefore: this.#finishedBefore } }),
      recorded: this.#recorded,
      environment,
      runLocation: this.#settings.location,
    });
    do await this.#decideAll();
    while (this.#needsRemoved());
    this.leftovers = this.plan.complete ? this.#leftovers() : [];
    if (this.leftovers.length > 0 && stage.irreplaceable && !this.#settings.acceptChanged && this.redo === undefined)
      this.refusals.push(...this.leftovers.map((shard) => ({ shard, why: 'leftover' as const, because: 'what it was made from is gone' })));
    this.sealed = this.whole && this.seal?.digest === sealOf(stage.name, this.valid).digest;
  }

  /** True where every planned shard is finished and no further one will come. */
  get whole(): boolean {
    return this.plan.complete && this.pending.length === 0 && this.refusals.length === 0 && this.plan.shards.every(({ name }) => this.valid.has(name));
  }

  /** What would make a shard of these inputs now. Models are read only where there is something to compare or to make. */
  async madeBy(inputs: MadeBy['inputs']): Promise<MadeBy> {
    const options = this.#settings.options[this.stage.name] ?? {};
    this.#models ??= (await this.stage.models?.(options)) ?? {};
    return { format: this.stage.format, options: decidingOptions(this.stage, options), models: this.#models, inputs };
  }

  /** Markers that --accept-changed rewrites, since the last call. */
  takeAccepted(): ShardStats[] {
    return this.#accepted.splice(0);
  }

  /** Records the choices of the plan that are new. */
  async record(): Promise<void> {
    if (this.stage.records) await recordWork(this.storage, this.stage, this.plan.shards, this.#recorded);
  }

  /** The files of a shard are needed again; false where that is known. */
  need(shard: string): boolean {
    return this.#needed.size < this.#needed.add(shard).size;
  }

  /** Takes in a marker that was just written, or that a shard has none any more. */
  setMarker(shard: string, marker: ShardStats | undefined): void {
    if (marker) {
      this.#markers.set(shard, marker);
      for (const { name, bytes } of marker.files) this.#sizes.set(name, bytes);
    } else this.#markers.delete(shard);
  }

  async #decideAll(): Promise<void> {
    this.valid.clear();
    this.pending = [];
    this.refusals = [];
    this.#accepted = [];
    const lanes = new Map<string, string>();
    for (const shard of this.plan.shards) {
      const lane = shard.after?.map((name) => lanes.get(name)).find((each) => each !== undefined) ?? shard.name;
      lanes.set(shard.name, lane);
      const before = (shard.after ?? []).map((name) => this.valid.get(name));
      // Its inputs include shards that are not made yet: it waits, whatever its marker says.
      if (before.every((marker) => marker !== undefined)) await this.#decide(shard, lane, before);
    }
  }

  /**
   * Whether a shard that is to be made stands on one of its own stage whose files were removed: that is made first. Where --fused has kept the
   * rows, a shard stands on these.
   */
  #needsRemoved(): boolean {
    let found = false;
    for (const { shard } of this.pending)
      for (const name of shard.after ?? []) {
        const before = this.valid.get(name);
        if (before?.removed !== undefined && !before.kept && this.need(name)) found = true;
      }
    return found;
  }

  async #decide(shard: Shard, lane: string, before: readonly ShardStats[]): Promise<void> {
    const marker = this.#markers.get(shard.name);
    const inputs = Object.fromEntries(shard.inputs.map(({ name, digest }) => [name, digest]));
    for (const { shard: name, lineage, digest } of before) inputs[allBefore(this.stage.writes, name)] = lineage ?? digest;
    const madeBy = await this.madeBy(inputs);
    const damage = marker && isOurs(marker) ? this.#damage(marker) : undefined;
    const verdict: Verdict = verdictOf(marker, madeBy, {
      redo: this.redo,
      acceptChanged: this.#settings.acceptChanged,
      irreplaceable: this.stage.irreplaceable ?? false,
      damage,
      formatChanges: this.stage.formatChanges,
    });
    if (verdict.do === 'refuse') this.refusals.push({ shard: shard.name, why: verdict.why, because: verdict.because });
    else if (verdict.do === 'make') {
      const lineages = before.map(({ lineage, digest }) => lineage ?? digest);
      this.pending.push({ shard, madeBy, why: verdict.why, because: verdict.because, lineages, lane });
    } else if (verdict.do === 'accept') {
      const kept = marker as ShardStats;
      const accepted: ShardStats = { ...kept, made_by: madeBy, accepted_from: kept.accepted_from ?? kept.made_by };
      this.#accepted.push(accepted);
      this.valid.set(shard.name, accepted);
    } else this.valid.set(shard.name, marker as ShardStats);
  }

  #damage(marker: ShardStats): string | undefined {
    if (marker.removed !== undefined && this.#needed.has(marker.shard)) return 'its files were removed (--keep, --fused) and are needed again';
    return damageOf(marker, this.#sizes);
  }

  #ownState(): DatasetState {
    const shards = [...this.#markers.values()]
      .filter(isOurs)
      .filter(({ skipped, redo }) => !skipped && (this.redo === undefined || redo === this.redo))
      .map(publishedShard);
    return { shards: shards.sort((a, b) => byNumber(a.name, b.name)), sealed: this.sealed };
  }

  #leftovers(): string[] {
    const planned = new Set(this.plan.shards.map(({ name }) => name));
    return [...this.#markers.keys()].filter((name) => !planned.has(name));
  }
}

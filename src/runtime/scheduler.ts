import type { DatasetState } from '../contracts/dataset.ts';
import { messageOf, RunError, UsageError } from '../contracts/errors.ts';
import type { ShardStats } from '../contracts/shard-stats.ts';
import type { Executor } from './executor.ts';
import { failureVerdict } from './failure-verdict.ts';
import { mayBegin } from './may-begin.ts';
import { isNews, madeAgain } from './made-again.ts';
import { writeMarker } from './marker.ts';
import { refusalError } from './refusal-error.ts';
import type { SchedulerEvents, SchedulerSettings } from './scheduler-settings.ts';
import { breakSeal, sealOf, writeSeal } from './seal.ts';
import { removeShard } from './remove-shard.ts';
import type { JobResult, ShardJob } from './shard-job.ts';
import { askForRemoved, removeConsumed } from './consumed-files.ts';
import { skippedMarker } from './skipped-marker.ts';
import type { PendingShard, StageState } from './stage-state.ts';
import { addTaken, firstLane, nextPause, readersOf, type StageActivity, type StageWork, stageWork, takerOf } from './stage-work.ts';

/** Under this name the seal of a stage fails, as a shard does under its own. */
const SEAL = 'seal';
/** A seal has no marker that would say what made it. */
const NOTHING = { format: 0, options: {}, models: {}, inputs: {} };

/**
 * Starts whatever is ready, most downstream first, so that stages overlap and data drains. What is ready follows from the markers
 * alone. Ends when nothing runs and nothing can be started: everything is made, or what is missing waits for a failed shard.
 */
export class Scheduler {
  readonly #work: readonly StageWork[];
  readonly #executor: Executor;
  readonly #settings: SchedulerSettings;
  readonly #events: SchedulerEvents;
  readonly #running = new Set<Promise<void>>();
  readonly #busy = { cpu: 0, io: 0 };
  #fatal: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(stages: readonly StageState[], executor: Executor, settings: SchedulerSettings, events: SchedulerEvents) {
    this.#executor = executor;
    this.#settings = settings;
    this.#events = events;
    this.#work = stages.map(stageWork);
  }

  /** What each stage did, in the order of the pipeline. */
  get activities(): readonly StageActivity[] {
    return this.#work;
  }

  /**
   * Plans everything without running anything. Throws UsageError where something that is there may not be made again: before
   * the first change.
   */
  async plan(): Promise<void> {
    for (const { state } of this.#work) await state.evaluate(this.#datasets(state), this.#settings.environment);
    this.#refuse();
  }

  async run(): Promise<void> {
    await this.plan();
    for (const { state } of this.#work) await state.storage.removeUnfinished('');
    for (;;) {
      if (this.#settings.signal.aborted) this.#fatal ??= new RunError('Stopped. The same command goes on from here.');
      if (this.#fatal) break;
      await this.#evaluateDirty();
      if (!this.#fatal) this.#start();
      // A shard has ended since: what follows from it is not known yet.
      if (this.#work.some(({ dirty }) => dirty)) continue;
      const pause = nextPause(this.#work);
      if (this.#running.size === 0 && pause === undefined) break;
      await this.#somethingHappens(pause);
    }
    await Promise.allSettled(this.#running);
    if (this.#fatal) throw this.#fatal;
  }

  async #evaluateDirty(): Promise<void> {
    try {
      // What a stage needs may be a shard of an earlier one that --keep has removed: then that is planned anew.
      while (this.#work.some(({ dirty }) => dirty)) {
        for (const work of this.#work) if (work.dirty) await this.#evaluate(work);
      }
      this.#refuse();
      if (this.#settings.keep) await removeConsumed(this.#work, this.#settings.keep);
    } catch (error) {
      this.#fatal ??= error as Error;
    }
  }

  /** Refusals of all stages, the first stage's first. A stage that still runs is left to end. */
  #refuse(): void {
    for (const { state } of this.#work) if (state.refusals.length > 0) throw refusalError(state, this.#dependents(state));
  }

  #dependents(state: StageState): number {
    const later = this.#work.slice(this.#work.findIndex((work) => work.state === state) + 1);
    return later.reduce((sum, work) => sum + work.state.markers.size, 0);
  }

  async #evaluate(work: StageWork): Promise<void> {
    work.dirty = false;
    const { state } = work;
    const before = visibleOf(state);
    await state.evaluate(this.#datasets(state), this.#settings.environment);
    if (state.refusals.length > 0) return;
    await state.record();
    for (const marker of state.takeAccepted()) {
      await writeMarker(state.storage, marker);
      state.setMarker(marker.shard, marker);
    }
    for (const name of state.leftovers) await this.#removeLeftover(work, name);
    for (const [name, marker] of state.valid) {
      if (work.kept.has(name) || work.running.has(name) || work.announced.has(name)) continue;
      work.kept.add(name);
      this.#events.finished(marker, true);
    }
    const again = state.pending.filter((pending) => isNews(pending) && !work.announced.has(pending.shard.name));
    for (const { shard } of again) work.announced.add(shard.name);
    for (const line of madeAgain(state.stage.name, again)) this.#events.note(line);
    if (state.pending.length > 0 && state.seal !== undefined) {
      state.seal = undefined;
      state.sealed = false;
      await breakSeal(state.storage);
    }
    askForRemoved(this.#work, state);
    if (visibleOf(state) !== before) for (const reader of readersOf(this.#work, state)) reader.dirty = true;
    this.#events.changed(work);
    if (state.sealed) this.#events.sealed?.(state);
  }

  async #removeLeftover(work: StageWork, name: string): Promise<void> {
    const marker = work.state.markers.get(name);
    if (!marker) return;
    this.#events.note(`${work.state.stage.name} ${name} is removed: what it was made from is gone`);
    await removeShard(work.state.storage, name, marker);
    work.state.setMarker(name, undefined);
  }

  /** The states of what a stage reads. */
  #datasets({ stage }: StageState): Record<string, DatasetState> {
    const datasets: Record<string, DatasetState> = {};
    if (this.#settings.run.inputs[stage.name] !== undefined && stage.takes !== undefined) return datasets;
    for (const { dataset, optional } of stage.reads) {
      const producer = this.#work.find(({ state }) => state.stage.writes === dataset);
      const state = producer ? producer.state.dataset() : this.#settings.given.get(dataset);
      if (state) datasets[dataset] = state;
      else if (!optional) throw new UsageError(`${stage.name} reads ${dataset}, and there is none. Run the stage before it, or name another with --input.`);
    }
    return datasets;
  }

  #start(): void {
    for (const work of this.#work.toReversed()) {
      const { state } = work;
      if (state.whole && !state.sealed && work.running.size === 0 && !work.sealing) {
        if (!work.failed.has(SEAL)) this.#seal(work);
        continue;
      }
      for (const pending of state.pending) {
        if (!this.#hasRoom(work)) break;
        const { name } = pending.shard;
        if (work.running.has(name) || work.failed.has(name) || (work.pausedUntil.get(name) ?? 0) > Date.now()) continue;
        this.#startShard(work, pending);
      }
    }
  }

  #hasRoom(work: StageWork): boolean {
    const kind = work.state.stage.threads ?? 'cpu';
    const slots = this.#executor.slots[kind];
    return this.#busy[kind] < slots && mayBegin(this.#work, work, slots, this.#settings.run);
  }

  #seal(work: StageWork): void {
    work.sealing = true;
    const { state } = work;
    const markers = new Map(state.valid);
    const task = (async () => {
      try {
        const job: ShardJob = { stage: state.stage.name, settings: this.#settings.run, madeBy: NOTHING, lineages: [] };
        const { record } = state.stage.seal ? await this.#submit(work, job, firstLane(state)) : {};
        const seal = sealOf(state.stage.name, markers, record);
        this.#events.reached(`${state.stage.name}.sealing`);
        await writeSeal(state.storage, seal);
        this.#events.reached(`${state.stage.name}.sealed`);
        state.seal = seal;
        work.lastEnd = Date.now();
      } catch (error) {
        this.#fail(work, SEAL, error);
      } finally {
        work.dirty = true;
        work.sealing = false;
      }
    })();
    this.#follow(work, task);
  }

  #startShard(work: StageWork, { shard, madeBy, lineages, lane }: PendingShard): void {
    const { state } = work;
    const kind = state.stage.threads ?? 'cpu';
    work.running.add(shard.name);
    work.firstStart ??= Date.now();
    this.#busy[kind]++;
    const taker = this.#settings.fused ? takerOf(this.#work, state) : undefined;
    const task = (async () => {
      try {
        const job: ShardJob = { stage: state.stage.name, shard, settings: this.#settings.run, madeBy, lineages, redo: state.redo };
        const fused = taker && { stage: taker.state.stage.name, madeBy: await taker.state.madeBy({}), redo: taker.state.redo };
        const result = await this.#submit(work, { ...job, fused }, shard.after ? lane : undefined);
        if (taker) addTaken(taker, result.fused!);
        state.setMarker(shard.name, result.marker);
        work.announced.add(shard.name);
        for (const stats of [result.marker!, result.fused]) if (stats) this.#events.finished(stats, false);
      } catch (error) {
        taker?.state.setMarker(shard.name, undefined);
        state.setMarker(shard.name, state.stage.swaps ? (state.markers.get(shard.name) as ShardStats | undefined) : undefined);
        await this.#failShard(work, shard.name, madeBy, error);
      } finally {
        // Both before it may be started again: what is pending was decided before it ran.
        state.pending = state.pending.filter((each) => each.shard.name !== shard.name);
        work.dirty = true;
        work.running.delete(shard.name);
        work.lastEnd = Date.now();
        this.#busy[kind]--;
      }
    })();
    this.#follow(work, task);
    this.#events.changed(work);
  }

  #submit(work: StageWork, job: ShardJob, lane?: string): Promise<JobResult> {
    const { stage } = work.state;
    return this.#executor.submit(job, {
      threads: stage.threads ?? 'cpu',
      lane: lane === undefined ? undefined : `${stage.name} ${lane}`,
      progress: (counts) => {
        work.counts.in += counts.in ?? 0;
        work.counts.out += counts.out ?? 0;
        work.counts.dropped += counts.dropped ?? 0;
        this.#events.changed(work);
      },
    });
  }

  #follow(work: StageWork, task: Promise<void>): void {
    this.#running.add(task);
    void task.finally(() => {
      this.#running.delete(task);
      work.dirty = true;
      this.#wake();
    });
  }

  async #failShard(work: StageWork, name: string, madeBy: ShardJob['madeBy'], error: unknown): Promise<void> {
    const { state } = work;
    const tries = (work.tries.get(name) ?? 0) + 1;
    work.tries.set(name, tries);
    const verdict = failureVerdict(error, state, tries, this.#settings);
    if (verdict.do === 'stop') this.#fatal ??= error as Error;
    else if (verdict.do === 'fail') this.#fail(work, name, error);
    else if (verdict.do === 'retry') {
      work.pausedUntil.set(name, Date.now() + verdict.afterMs);
      this.#events.failed(state.stage.name, name, messageOf(error), true);
    } else {
      const marker = skippedMarker(state.stage.name, name, madeBy, { reason: messageOf(error), tries });
      await writeMarker(state.storage, marker);
      state.setMarker(name, marker);
      work.announced.add(name);
      this.#events.note(`${state.stage.name} ${name} is skipped from now on: ${messageOf(error)}`);
    }
  }

  #fail(work: StageWork, name: string, error: unknown): void {
    if (error instanceof RunError || error instanceof UsageError) this.#fatal ??= error;
    else {
      work.failed.set(name, messageOf(error));
      this.#events.failed(work.state.stage.name, name, messageOf(error), false);
    }
  }

  async #somethingHappens(pause: number | undefined): Promise<void> {
    const { signal } = this.#settings;
    let timer;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (pause !== undefined) timer = setTimeout(resolve, pause);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    clearTimeout(timer);
  }
}

/** What the readers of a stage see of it. */
function visibleOf({ valid, sealed }: StageState): string {
  return JSON.stringify([sealed, [...valid].map(([name, { digest }]) => [name, digest])]);
}

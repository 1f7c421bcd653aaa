import type { ShardStats } from '../contracts/shard-stats.ts';
import type { OpenedRun } from '../runtime/open-run.ts';
import { isOurs } from '../runtime/marker.ts';
import type { StageState } from '../runtime/stage-state.ts';

/** What a stage has to do yet, as far as its finished shards and its input tell; undefined where they don't. */
export interface StageEstimate {
  /** Items that come in yet. */
  rows: number | undefined;
  /** Bytes that it will write. */
  bytes: number | undefined;
  /** Hours with these workers. */
  hours: number | undefined;
  /** Items that the whole stage will have written. */
  out: number | undefined;
}

/** Estimates the stages of a planned run in their order. `given` are the rows of datasets that no stage of the run writes. */
export function estimateStages({ states }: OpenedRun, given: ReadonlyMap<string, number | undefined>, workers: number): StageEstimate[] {
  const out = new Map<string, number | undefined>(given);
  return states.map((state) => {
    const estimate = estimateStage(state, out, workers);
    out.set(state.stage.writes, estimate.out);
    return estimate;
  });
}

function estimateStage(state: StageState, out: ReadonlyMap<string, number | undefined>, workers: number): StageEstimate {
  const { plan, pending, valid } = state;
  const finished = [...valid.values()];
  const whole = plan.complete && pending.length === 0 && finished.length === plan.shards.length;
  const rows = whole ? 0 : rowsLeft(state, sum(finished, takenBy), out);
  const written = sum(finished, writtenBy);
  if (rows === 0) return { rows, bytes: 0, hours: 0, out: written };
  // Shards that are made again tell the pace too.
  const measured = [...state.markers.values()].filter(isOurs).filter(({ skipped }) => !skipped);
  const taken = sum(measured, takenBy);
  if (rows === undefined || taken === 0) return { rows, bytes: undefined, hours: undefined, out: undefined };
  const share = rows / taken;
  return {
    rows,
    bytes: share * sum(measured, bytesOf),
    hours: (share * sum(measured, ({ duration }) => duration)) / 3600 / Math.min(workers, Math.max(1, pending.length)),
    out: Math.round(written + share * sum(measured, writtenBy)),
  };
}

/** Items that are to come: those of the dataset that is read less those that came, or by the sizes of files from outside. */
function rowsLeft({ stage, pending, valid }: StageState, taken: number, out: ReadonlyMap<string, number | undefined>): number | undefined {
  const source = stage.reads.find(({ dataset }) => out.get(dataset) !== undefined)?.dataset;
  if (source !== undefined) return Math.max(0, out.get(source)! - taken);
  const left = fileBytes(pending.flatMap(({ shard }) => shard.inputs.map(({ digest }) => digest)));
  const read = fileBytes([...valid.values()].flatMap(({ made_by: { inputs } }) => Object.values(inputs)));
  return left === undefined || read === undefined || read === 0 ? undefined : Math.round((left / read) * taken);
}

/** The digest of a file from outside is its size. */
function fileBytes(digests: readonly string[]): number | undefined {
  let total = 0;
  for (const digest of digests) {
    const bytes = /^(\d+) bytes/.exec(digest)?.[1];
    if (bytes === undefined) return undefined;
    total += Number(bytes);
  }
  return total;
}

const takenBy = (marker: ShardStats): number => marker.in;
const writtenBy = ({ out }: ShardStats): number => out;

function sum(markers: readonly ShardStats[], of: (marker: ShardStats) => number): number {
  return markers.reduce((total, marker) => total + of(marker), 0);
}

function bytesOf({ files }: ShardStats): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}

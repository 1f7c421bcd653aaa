import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, loadavg } from 'node:os';
import { join } from 'node:path';
import { keepInCache, readFromCache } from '../files/cache-record.ts';
import { type Device, type OnnxSession, openOnnxSession, type Pace, USUAL_ROWS, type Values } from './onnx-session.ts';

/**
 * A short trial of an ONNX file on this machine: how many sessions of how many threads, and how many rows a batch. None of them
 * changes what comes out. The outcome is kept beside the downloaded models, by the file, the processor and its cores.
 */
export interface CalibrationSettings {
  /** Where outcomes are kept. */
  cacheFolder: string;
  /** Sides of one row of each input, without the first: [3, 224, 224], or the length of a text. */
  sides: readonly number[];
  /** Rows of a batch where the model or its precision fixes them. */
  fixedRows?: number | undefined;
}

/** More rows take more memory than they save time. */
const ROWS = [1, 2, 4, 8, 16, 32];
/** A trial runs for so long, and so often at least. */
const TRIAL_MS = 200;
const MIN_RUNS = 2;
/** A batch that takes longer is the largest that is tried. */
const LONGEST_BATCH_MS = 1000;
/** A model that takes less for a row needs no trial: one session a core, and the usual batch. */
const QUICK_ROW_MS = 10;
/** Sessions are made larger for the memory that they save, as long as this share of the speed stays. */
const ENOUGH = 0.95;
/** The same for smaller batches, which save little. B/32: 96 % of the speed with two rows, 99 % with four, all of it with six and eight. */
const ENOUGH_ROWS = 0.98;
/** A loaded model takes so many times the size of its file. */
const MEMORY_OF_FILE = 1.4;
/** Of several threads, against as many sessions. */
const EFFICIENCY = 0.9;
const UNTRIED_ROWS = 4;
/** Rows of a batch on a GPU, which small batches leave idle. */
const GPU_ROWS = 64;

/** What the user has decided himself. */
export interface Chosen {
  threads?: number | undefined;
  sessions?: number | undefined;
}

/** The kept outcome, else that of a trial where the cores are free for one; with what the user has chosen. `load`: threads that want a core. */
export async function calibrated(path: string, device: Device, settings: CalibrationSettings, chosen: Chosen, load = loadavg()[0]!): Promise<Pace> {
  const { sides, cacheFolder, fixedRows = null } = settings;
  if (device !== 'cpu') return { sessions: chosen.sessions ?? 1, threads: 1, rows: fixedRows ?? GPU_ROWS };
  const cores = availableParallelism();
  const { size, mtimeMs } = await stat(path);
  const affordable = Math.max(1, Math.floor(freemem() / (size * MEMORY_OF_FILE)));
  const machine = `${cpus()[0]?.model ?? 'unknown'}, ${cores} cores`;
  const name = createHash('sha256')
    .update(JSON.stringify([path, size, mtimeMs, machine, sides, fixedRows]))
    .digest('hex')
    .slice(0, 32);
  const kept = join(cacheFolder, 'calibration', `${name}.json`);
  const known = await readFromCache<Measured>(kept);
  if (!known && isBusy(load, cores)) return choose(untried(cores, fixedRows ?? UNTRIED_ROWS), cores, affordable, chosen);
  const measured = known ?? (await measure(path, cores, settings));
  if (measured === 'quick') {
    const threads = chosen.threads ?? 1;
    return { sessions: chosen.sessions ?? Math.max(1, Math.min(Math.floor(cores / threads), affordable)), threads, rows: fixedRows ?? USUAL_ROWS };
  }
  if (!known) await keepInCache(kept, { path, machine, ...measured });
  return choose(measured, cores, affordable, chosen);
}

/** A trial beside so much other work would say little, and be kept. */
const isBusy = (load: number, cores: number): boolean => load > cores;

/** What is right, or nearly so, for models of CLIP's size: a session a core, and threads in place of the sessions that memory has no room for. */
export function untried(cores: number, rows: number): Measured {
  const byThreads = Object.fromEntries([1, ...threadCounts(cores)].map((threads) => [threads, threads === 1 ? 1 : EFFICIENCY * threads]));
  return { byThreads, byRows: { [rows]: 1 } };
}

/** Rows a second by threads, of one session; and by rows, with the threads of the best. */
export interface Measured {
  byThreads: Record<string, number>;
  byRows: Record<string, number>;
}

/** The plan that follows from what was measured, where no more than `affordable` sessions fit into memory. */
export function choose({ byThreads, byRows }: Measured, cores: number, affordable: number, chosen: Chosen = {}): Pace {
  const counts = chosen.threads === undefined ? Object.keys(byThreads).map(Number) : [chosen.threads];
  const plans = counts.map((threads) => {
    const sessions = chosen.sessions ?? Math.max(1, Math.min(Math.floor(cores / threads), affordable));
    return { threads, sessions, speed: (byThreads[threads] ?? 1) * sessions };
  });
  const best = Math.max(...plans.map(({ speed }) => speed));
  const { threads, sessions } = plans.sort((a, b) => a.sessions - b.sessions || a.threads - b.threads).find(({ speed }) => speed >= ENOUGH * best)!;
  return { sessions, threads, rows: fewestRows(byRows) };
}

function fewestRows(byRows: Measured['byRows']): number {
  const fastest = Math.max(...Object.values(byRows));
  return Math.min(
    ...Object.entries(byRows)
      .filter(([, pace]) => pace >= ENOUGH_ROWS * fastest)
      .map(([count]) => Number(count)),
  );
}

async function measure(path: string, cores: number, { sides, fixedRows }: CalibrationSettings): Promise<Measured | 'quick'> {
  const byThreads: Record<string, number> = {};
  const byRows: Record<string, number> = {};
  const single = await openOnnxSession(path, 1);
  const fixed = fixedRows ?? single.inputs[0]!.shape[0];
  for (const rows of fixed === undefined ? ROWS : [fixed]) {
    const pace = await rowsPerSecond(single, sides, rows);
    if (pace > 1000 / QUICK_ROW_MS) {
      await single.close();
      return 'quick';
    }
    byRows[rows] = pace;
    if ((1000 * rows) / pace > LONGEST_BATCH_MS) break;
  }
  const rows = fewestRows(byRows);
  byThreads[1] = byRows[rows]!;
  await single.close();
  for (const threads of threadCounts(cores)) {
    const session = await openOnnxSession(path, threads);
    byThreads[threads] = await rowsPerSecond(session, sides, rows);
    await session.close();
  }
  return { byThreads, byRows };
}

/** 2, 4, … and all. */
function threadCounts(cores: number): number[] {
  const counts: number[] = [];
  for (let count = 2; count < cores; count *= 2) counts.push(count);
  return cores > 1 ? [...counts, cores] : [];
}

async function rowsPerSecond(session: OnnxSession, sides: readonly number[], rows: number): Promise<number> {
  const feeds = (): Record<string, Values> => Object.fromEntries(session.inputs.map(({ name, type }) => [name, blank(type, [rows, ...sides])]));
  await session.run(feeds());
  const started = performance.now();
  // The best of some: what else runs here now is not the model's.
  let best = Infinity;
  for (let runs = 0; runs < MIN_RUNS || performance.now() - started < TRIAL_MS; runs++) {
    const start = performance.now();
    await session.run(feeds());
    best = Math.min(best, performance.now() - start);
  }
  return (1000 * rows) / best;
}

function blank(type: string, dims: readonly number[]): Values {
  const length = dims.reduce((a, b) => a * b, 1);
  if (type === 'int64') return { type, dims, data: new BigInt64Array(length).fill(1n) };
  if (type === 'int32') return { type, dims, data: new Int32Array(length).fill(1) };
  return { type, dims, data: new Float32Array(length).fill(0.5) };
}

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuUsage, resourceUsage } from 'node:process';
import { z } from 'zod';
import type { SemanticDuplicate } from '../src/contracts/records.ts';
import { npyValues, openNpyRows } from '../src/formats/npy.ts';
import { NpyWriter } from '../src/formats/npy-writer.ts';
import { readParquet } from '../src/formats/parquet.ts';
import { ParquetFileWriter } from '../src/formats/parquet-writer.ts';
import { normalise } from '../src/models/vectors.ts';
import { semdedup } from '../src/stages/semdedup/semdedup.ts';
import { peers } from '../test/local-paths.ts';
import { randomSource } from '../test/random-source.ts';
import { runOneStage } from '../test/stages/run-one-stage.ts';
import type { BenchResult } from './main.ts';

const DIMENSIONS = 512;
/** Vectors of a part. */
const PART = 100_000;
/** Vectors around one of the centres that the data is drawn from. */
const PER_CENTRE = 200;
/** Every so many-th vector is a planted duplicate of one before it. */
const PLANTED_EVERY = 20;
const THRESHOLDS = [0.9, 0.95, 0.98];
/** What float16 may take from a planted cosine. */
const ROUNDING = 0.001;
/** What the steps of semdedup do, by the points at which they have noted it. */
const STEPS: Record<string, string> = {
  iterated: 'k-means',
  centred: 'k-means',
  assigned: 'choosing clusters',
  compared: 'comparing within clusters',
};
/** Dimensions of the points that the vectors are made of. */
const LATENT = 8;

const kinds = ['clustered', 'continuous'] as const;
type Kind = (typeof kinds)[number];

/**
 * semdedup on random vectors with planted duplicates, float16: vectors/s, CPU time by step, peak memory, planted duplicates found and, where
 * it is asked for, what of the duplicates that one cluster (brute force) finds. `clustered`: centres with 200 vectors each. `continuous`: no
 * clusters at all, the worst that can happen to k-means. Options: how many thousand vectors (100), the kind (clustered), `exact` for brute
 * force, `in=FOLDER` for a folder in which the vectors stay and from which they are taken the next time, and options of semdedup as
 * name=number.
 */
export async function run([thousands = '100', kind = 'clustered', ...settings]: string[]): Promise<BenchResult> {
  if (!kinds.some((each) => each === kind)) throw new Error(`There is no data called ${kind}: give one of ${kinds.join(', ')}.`);
  const { in: kept, ...options } = Object.fromEntries(settings.filter((each) => each.includes('=')).map((each) => each.split('=') as [string, string]));
  const folder = await mkdtemp(join(kept ?? tmpdir(), 'bench-semdedup-'));
  const embeddings = join(kept ?? folder, 'embeddings');
  const numbers = Object.fromEntries(Object.entries(options).map(([name, value]) => [name, Number(value)]));
  try {
    const vectors = Number(thousands) * 1000;
    if (!existsSync(embeddings)) await makeEmbeddings(embeddings, vectors, kind as Kind);
    const load = loadavg()[0]!;
    const found = await timed(embeddings, join(folder, 'run'), numbers);
    const peakMb = resourceUsage().maxRSS / 1024;
    const isExact = settings.includes('exact');
    const planted = await plantedCosines(embeddings, vectors);
    const marks = await readMarks(join(folder, 'run'), (hash) => isExact || planted.has(hash));
    const exact = isExact ? await timed(embeddings, join(folder, 'exact'), { ...numbers, clusters: 1 }) : undefined;
    const exactMarks = exact && (await readMarks(join(folder, 'exact'), () => true));
    const python = join(peers, 'image/bin/python');
    const peer = existsSync(python) ? peerRun(python, embeddings, found.clusters) : undefined;
    const rows = THRESHOLDS.map((cosine, i) => {
      const wanted = [...planted].filter(([, at]) => at >= cosine + ROUNDING);
      const all = [...(exactMarks?.cosines ?? [])].filter(([, value]) => value >= cosine);
      const shareFound = (some: readonly (readonly [bigint, number])[]): number =>
        some.filter(([hash]) => marks.cosines.get(hash)! >= cosine).length / some.length;
      return {
        'cosine from': cosine,
        marked: marks.marked[i]!,
        'planted found': shareFound(wanted),
        ...(exact && { 'of those that brute force marks': shareFound(all) }),
      };
    });
    const against = exact ? `; brute force ${exact.seconds.toFixed(1)} s` : '';
    return {
      title: `semdedup: ${vectors} ${kind} vectors of ${DIMENSIONS} float16, ${found.clusters} clusters: ${found.seconds.toFixed(1)} s (load average ${load.toFixed(1)} before), ${Math.round(vectors / found.seconds)} vectors/s, ${found.cpuSeconds.toFixed(0)} CPU seconds, ${Math.round(peakMb)} MB at most, ${(found.writtenBytes / 1e6).toFixed(0)} MB written${against}`,
      rows,
      more: [
        { title: 'CPU seconds by step', rows: [...found.steps].map(([step, seconds]) => ({ step, seconds, share: seconds / found.cpuSeconds })) },
        ...(peer
          ? [
              {
                title: `SemDeDup by faiss and torch (bench/semantic-duplicates/semdedup_faiss.py), the same clusters, iterations and sample, after the run above`,
                rows: [
                  { seconds: peer.seconds, 'peak MB': peer.peakMb, 'marked at 0.95': peer.duplicates, 'its time over ours': peer.seconds / found.seconds },
                ],
              },
            ]
          : []),
      ],
      missing: peer ? [] : [`faiss and torch, which ${python} would have (PAIRMILL_PEERS)`],
      ratios: {
        vectors_per_s: vectors / found.seconds,
        vectors_per_cpu_s: vectors / found.cpuSeconds,
        peak_mb: peakMb,
        ...(peer && { faiss_torch: peer.seconds / found.seconds }),
        planted_found: rows[1]!['planted found'],
        ...(exact && { recall: rows[1]!['of those that brute force marks']!, brute_force_time: exact.seconds / found.seconds }),
      },
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface Timed {
  seconds: number;
  cpuSeconds: number;
  /** CPU seconds by the step that noted what they had done. */
  steps: Map<string, number>;
  writtenBytes: number;
  clusters: number;
}

async function timed(input: string, run: string, options: Record<string, number>): Promise<Timed> {
  const [start, cpu, written] = [performance.now(), cpuSeconds(), writtenBytes()];
  const steps = new Map<string, number>();
  let last = cpu;
  const reached = (point: string): void => {
    const step = point.replace('semdedup.', '');
    const now = cpuSeconds();
    steps.set(STEPS[step] ?? 'writing', (steps.get(STEPS[step] ?? 'writing') ?? 0) + now - last);
    last = now;
  };
  const { shards } = await runOneStage(semdedup, run, options, { input, reached });
  const { clusters } = shards[0] as unknown as { clusters: number };
  return { seconds: (performance.now() - start) / 1000, cpuSeconds: cpuSeconds() - cpu, steps, writtenBytes: writtenBytes() - written, clusters };
}

function cpuSeconds(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1e6;
}

/** By this process so far; caches of the system included. */
function writtenBytes(): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

/** How many reach each of the thresholds, and the cosines of those that are wanted: -1 where none comes before. */
async function readMarks(run: string, isWanted: (hash: bigint) => boolean): Promise<{ marked: number[]; cosines: Map<bigint, number> }> {
  const cosines = new Map<bigint, number>();
  const marked = THRESHOLDS.map(() => 0);
  for await (const { hash, cosine } of readParquet<SemanticDuplicate>(join(run, 'semantic-duplicates/00000.parquet'), ['hash', 'cosine'])) {
    for (const [i, threshold] of THRESHOLDS.entries()) if (cosine !== null && cosine >= threshold) marked[i]!++;
    if (isWanted(hash)) cosines.set(hash, cosine ?? -1);
  }
  return { marked, cosines };
}

interface PeerRun {
  seconds: number;
  peakMb: number;
  duplicates: number;
}

function peerRun(python: string, embeddings: string, clusters: number): PeerRun {
  const script = join(import.meta.dirname, 'semantic-duplicates/semdedup_faiss.py');
  return JSON.parse(execFileSync(python, [script, embeddings, String(clusters)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })) as PeerRun;
}

const partName = (part: number): string => String(part).padStart(5, '0');
const hashOf = (number: number): bigint => BigInt.asIntN(64, BigInt(number + 1) * 0x9e37_79b9_7f4a_7c15n);
const isPlanted = (number: number): boolean => number % PLANTED_EVERY === PLANTED_EVERY - 1;

async function makeEmbeddings(folder: string, vectors: number, kind: Kind): Promise<void> {
  for (const each of ['img_emb', 'metadata']) await mkdir(join(folder, each), { recursive: true });
  const points = latentPoints(kind, vectors);
  const embed = embedding(randomSource(2).next);
  for (let part = 0; part * PART < vectors; part++) {
    const rows = Math.min(PART, vectors - part * PART);
    const writer = await NpyWriter.open(join(folder, `img_emb/img_emb_${partName(part)}.npy`), DIMENSIONS, '<f2');
    for (let i = 0; i < rows; i++) await writer.writeRow(embed(isPlanted(part * PART + i) ? points.near() : points.next()));
    await writer.close();
    const metadata = await ParquetFileWriter.open(join(folder, `metadata/metadata_${partName(part)}.parquet`), z.object({ hash: z.int64() }));
    await metadata.writeColumns(rows, { hash: BigInt64Array.from({ length: rows }, (_, i) => hashOf(part * PART + i)) });
    await metadata.close();
  }
}

/** The cosine of each planted duplicate with its original, the vector before it, by the larger hash of the two. */
async function plantedCosines(folder: string, vectors: number): Promise<Map<bigint, number>> {
  const planted = new Map<bigint, number>();
  const pair = npyValues('<f2', 2 * DIMENSIONS);
  for (let part = 0; part * PART < vectors; part++) {
    const file = await openNpyRows(join(folder, `img_emb/img_emb_${partName(part)}.npy`));
    for (let i = 1; i < file.rows; i++) {
      const number = part * PART + i;
      if (!isPlanted(number)) continue;
      await file.read(i - 1, 2, pair);
      const [original, copy] = [0, 1].map((row) => normalise(Float32Array.from(pair.subarray(row * DIMENSIONS, (row + 1) * DIMENSIONS))));
      const [hash, other] = [hashOf(number), hashOf(number - 1)];
      planted.set(hash > other ? hash : other, dot(original!, copy!));
    }
    await file.close();
  }
  return planted;
}

/**
 * Points of a few dimensions. `clustered`: around centres far from one another. `continuous`: evenly in a box whose size grows with their
 * number, so that each has about one other within a cosine of 0.95 at any size. `near`: one whose cosine with the last is 0.9 to 1.
 */
function latentPoints(kind: Kind, vectors: number): { next(): Float64Array; near(): Float64Array } {
  const { next } = randomSource(1);
  const centres = Array.from({ length: Math.ceil(vectors / PER_CENTRE) }, () => Float64Array.from({ length: LATENT }, () => 20 * next()));
  const side = (vectors / 1000) ** (1 / LATENT);
  let last = new Float64Array(LATENT);
  return {
    next: () => {
      const centre = centres[Math.floor(next() * centres.length)]!;
      last = Float64Array.from({ length: LATENT }, (_, d) => (kind === 'clustered' ? centre[d]! + 0.21 * gaussian(next) : side * next()));
      return last;
    },
    near: () => {
      const direction = Float64Array.from({ length: LATENT }, () => gaussian(next));
      const step = Math.sqrt(-2 * Math.log(0.9 + 0.1 * next())) / Math.hypot(...direction);
      return last.map((value, d) => value + step * direction[d]!);
    },
  };
}

/** Random Fourier features: the cosine of two vectors is about exp(-s / 2), where s is the square of the distance of their points. */
function embedding(next: () => number): (point: Float64Array) => Float32Array {
  const frequencies = Float64Array.from({ length: DIMENSIONS * LATENT }, () => gaussian(next));
  const phases = Float64Array.from({ length: DIMENSIONS }, () => 2 * Math.PI * next());
  return (point) => {
    const vector = new Float32Array(DIMENSIONS);
    for (let d = 0, at = 0; d < DIMENSIONS; d++) {
      let angle = phases[d]!;
      for (let i = 0; i < LATENT; i++, at++) angle += frequencies[at]! * point[i]!;
      vector[d] = Math.cos(angle);
    }
    return normalise(vector);
  };
}

function gaussian(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d]! * b[d]!;
  return sum;
}

import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { readNpyBlocks } from '../src/formats/npy.ts';
import { NpyWriter } from '../src/formats/npy-writer.ts';
import { ParquetFileWriter } from '../src/formats/parquet-writer.ts';
import { readInto } from '../src/formats/read-into.ts';
import { type Head, readHead } from '../src/models/heads/head.ts';
import { openHeadScorer } from '../src/models/heads/head-scorer.ts';
import { tag } from '../src/stages/tag/tag.ts';
import { runOneStage } from '../test/stages/run-one-stage.ts';
import type { BenchResult } from './main.ts';

const heads = join(import.meta.dirname, '../test/fixtures/laion-heads');
const linearHeads = ['aesthetic_v1_l_14', 'q16_l_14', 'violence_l_14'];
const DIMENSIONS = 768;
const ROUNDS = 5;

/**
 * LAION's heads for ViT-L/14 on one float16 part, against reading the same file in the same blocks and doing nothing with it. One
 * thread computes; the next block is read meanwhile. `cold`: the file was dropped from the system's cache first. Options: how many
 * thousand vectors (400).
 */
export async function run([thousands = '400']: string[]): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-tag-'));
  try {
    const vectors = Number(thousands) * 1000;
    const images = join(folder, 'embeddings/img_emb/img_emb_00000.npy');
    await makePart(folder, images, vectors);
    const linear = await Promise.all(linearHeads.map((name) => readHead(join(heads, `${name}.safetensors`))));
    const mlp = await readHead(join(heads, 'nsfw_l14.safetensors'));
    const ways: Record<string, () => Promise<unknown>> = {
      'read and do nothing': () => readOnly(images, 2 * 1024 * 1024),
      'one linear head': await scoring(images, [linear[1]!]),
      'three linear heads, one on vectors scaled to length 1': await scoring(images, linear),
      'the NSFW head (768-64-512-256-1), scaled too': await scoring(images, [mlp]),
      'all four': await scoring(images, [...linear, mlp]),
      'tag, three linear heads, hashes in and Parquet out': () => stage(folder, linearHeads),
    };
    const times: Record<string, Record<'cold' | 'warm', number[]>> = {};
    for (let round = 0; round <= ROUNDS; round++)
      for (const [name, way] of Object.entries(ways)) {
        times[name] ??= { cold: [], warm: [] };
        for (const cache of ['cold', 'warm'] as const) {
          if (cache === 'cold' && !dropFromCache(images)) continue;
          const start = performance.now();
          await way();
          // The first round is not counted: code is compiled in it.
          if (round > 0) times[name][cache].push((performance.now() - start) / 1000);
        }
      }
    const gigabytes = (vectors * DIMENSIONS * 2) / 1e9;
    const speed = (name: string, cache: 'cold' | 'warm'): number => gigabytes / median(times[name]![cache]);
    const [read] = Object.keys(ways) as [string];
    const share = (name: string, cache: 'cold' | 'warm'): number => speed(name, cache) / speed(read, cache);
    const rows = Object.keys(ways).map((name) => ({
      what: name,
      'GB/s from the disk': speed(name, 'cold'),
      'of reading': share(name, 'cold'),
      'GB/s from memory': speed(name, 'warm'),
      'of reading from memory': share(name, 'warm'),
      'M vectors/s': (speed(name, 'warm') * 1000) / (DIMENSIONS * 2),
    }));
    const [, , three, nsfw, , whole] = Object.keys(ways) as [string, string, string, string, string, string];
    return {
      title: `tag: ${vectors} vectors of ${DIMENSIONS} float16, medians of ${ROUNDS}, one thread`,
      rows,
      ratios: {
        linear_of_disk_read: share(three, 'cold'),
        linear_of_memory_read: share(three, 'warm'),
        mlp_of_disk_read: share(nsfw, 'cold'),
        stage_of_disk_read: share(whole, 'cold'),
      },
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function makePart(folder: string, images: string, vectors: number): Promise<void> {
  for (const each of ['img_emb', 'metadata']) await mkdir(join(folder, 'embeddings', each), { recursive: true });
  let state = 1;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32 - 0.5;
  // Rows of a pool, so that making them takes no longer than measuring.
  const pool = Array.from({ length: 1000 }, () => Float32Array.from({ length: DIMENSIONS }, () => random() / 8));
  const writer = await NpyWriter.open(images, DIMENSIONS, '<f2');
  for (let i = 0; i < vectors; i++) await writer.writeRow(pool[i % pool.length]!);
  await writer.close();
  const metadata = await ParquetFileWriter.open(join(folder, 'embeddings/metadata/metadata_00000.parquet'), z.object({ hash: z.int64() }));
  await metadata.writeColumns(vectors, { hash: BigInt64Array.from({ length: vectors }, (_, i) => BigInt(i) * 0x9e37_79b9n) });
  await metadata.close();
}

async function readOnly(path: string, blockBytes: number): Promise<void> {
  const file = await open(path, 'r');
  const block = new Uint8Array(blockBytes);
  for (let at = 0; ; at += blockBytes) if ((await readInto(file, block, at)) < blockBytes) break;
  await file.close();
}

/** A stage keeps its scorer too. */
async function scoring(path: string, heads: readonly Head[]): Promise<() => Promise<void>> {
  const scorer = await openHeadScorer(heads, DIMENSIONS, '<f2');
  return async () => {
    for await (const { values, rows } of readNpyBlocks(path, scorer.rowsPerBlock)) await scorer.score(values, rows);
  };
}

async function stage(folder: string, names: readonly string[]): Promise<void> {
  const options = { model: 'clip-vit-l-14', heads: names.map((name) => join(heads, `${name}.safetensors`)) };
  await runOneStage(tag, join(folder, 'run'), options, { input: join(folder, 'embeddings'), redo: true });
}

/** True where GNU dd could tell the system to forget the file. */
function dropFromCache(path: string): boolean {
  try {
    execFileSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

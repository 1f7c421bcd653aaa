import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Journal } from '../../../src/contracts/stage.ts';
import { NpyWriter } from '../../../src/formats/npy-writer.ts';
import { normalise } from '../../../src/models/vectors.ts';
import { compareClusters } from '../../../src/stages/semdedup/compare-clusters.ts';
import type { EmbeddingRows } from '../../../src/stages/semdedup/embedding-rows.ts';
import type { NearestBefore } from '../../../src/stages/semdedup/nearest-before.ts';
import { vectorsInOrder } from '../../../src/stages/semdedup/vectors-in-order.ts';
import { randomSource } from '../../random-source.ts';

const DIMENSIONS = 24;
/** One cluster is larger than a block and than the memory, three are empty. */
const starts = Int32Array.of(0, 0, 4695, 4695, 4700, 5100, 5100, 5200);
const ROWS = 5200;

let scratch: string;
let vectors: Float32Array[];
let embeddings: EmbeddingRows;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'compare-clusters-'));
  onTestFinished(() => rm(scratch, { recursive: true, force: true }));
  const { next } = randomSource(4);
  vectors = Array.from({ length: ROWS }, () => normalise(Float32Array.from({ length: DIMENSIONS }, () => next() - 0.5)));
  // Equal ones far from one another: the first counts.
  for (const copy of [700, 4500, 4690]) vectors[copy] = vectors[600]!;
  const images = join(scratch, 'vectors.npy');
  const writer = await NpyWriter.open(images, DIMENSIONS, '<f4');
  for (const vector of vectors) await writer.writeRow(vector);
  await writer.close();
  embeddings = { parts: [{ images, metadata: '', rows: ROWS }], rows: ROWS, dimensions: DIMENSIONS, type: '<f4', hashes: new BigInt64Array(0) };
});

interface Try {
  journal?: Map<number, unknown>;
  rowsInMemory?: number;
  /** Stops when so much was noted. */
  notes?: number;
}

/** Says how many rows it compared each time, what it recalled first. */
async function compare({ journal: noted = new Map(), rowsInMemory = 1000, notes = Infinity }: Try): Promise<{ found: NearestBefore; rows: number[] }> {
  const { signal } = new AbortController();
  const rows: number[] = [];
  const journal: Journal<unknown> = { recall: async (item) => noted.get(item), note: async (item, value) => void noted.set(item, structuredClone(value)) };
  const found = await compareClusters(
    embeddings,
    { rowAt: Uint32Array.from({ length: ROWS }, (_, i) => i), starts },
    {
      scratch,
      signal,
      journal,
      vectors: vectorsInOrder(embeddings, { memoryBytes: rowsInMemory * 4 * DIMENSIONS, signal }),
      onRows: (more) => void rows.push(more),
      onNoted: () => {
        if (noted.size === notes) throw new Error('stopped');
      },
      pairsPerNote: 100_000,
    },
  );
  return { found, rows };
}

describe('clusters are compared', () => {
  test('each vector with those before it, also in a cluster that is larger than a block and than the memory', async () => {
    const { at, cosines } = (await compare({})).found;
    for (const [i, start] of starts.slice(0, -1).entries()) if (start < starts[i + 1]!) expect([at[start], cosines[start]]).toEqual([-1, Number.NaN]);
    for (const copy of [700, 4500, 4690]) expect([at[copy], cosines[copy]]).toEqual([600, 1]);
    for (const row of [1, 513, 4097, 4694, 4697, 5099, 5101]) {
      const begin = starts.findLast((start) => start <= row)!;
      const all = vectors.slice(begin, row).map((vector) => vector.reduce((sum, value, d) => sum + value * vectors[row]![d]!, 0));
      const highest = Math.max(...all);
      expect(at[row]).toBe(begin + all.indexOf(highest));
      expect(cosines[row]).toBeCloseTo(highest, 5);
    }
  });

  test('from where they were stopped, within a cluster too, also with another memory', async () => {
    const quiet = await compare({ rowsInMemory: ROWS });
    const journal = new Map<number, unknown>();
    // After one block of the large cluster, after both, and after the two small ones.
    for (const [notes, recalled] of [
      [1, 0],
      [2, 4096],
      [3, 4695],
    ] as const) {
      const seen: number[] = [];
      await expect(compare({ journal, notes }).then(({ rows }) => seen.push(...rows))).rejects.toThrow('stopped');
      expect(Math.max(0, ...journal.keys()) % 2 ** 30).toBe(recalled);
    }
    const { found, rows } = await compare({ journal, rowsInMemory: 300 });
    expect(found).toEqual(quiet.found);
    expect(rows).toEqual([5100, 100]);
  });
});

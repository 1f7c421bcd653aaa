import { writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { DatasetState } from '../../contracts/dataset.ts';
import { UsageError } from '../../contracts/errors.ts';
import type { Effects, Plan, Stage } from '../../contracts/stage.ts';
import { wholeInput } from '../../contracts/whole-input.ts';
import { readParquet } from '../../formats/parquet.ts';
import { clusterEmbeddings } from './cluster-embeddings.ts';
import { clusterOrder } from './cluster-order.ts';
import { compareClusters } from './compare-clusters.ts';
import { type Curve, curveChart, curveOf } from './curve.ts';
import { embeddingRows, type EmbeddingRows, orderByHash } from './embedding-rows.ts';
import { semdedupOptions } from './options.ts';
import type { Step } from './step-journal.ts';
import { vectorsInOrder } from './vectors-in-order.ts';
import { writeMarks } from './write-marks.ts';

/** The parts of the embeddings. */
const SemdedupWork = z.object({ parts: z.array(z.string()) });
type SemdedupWork = z.output<typeof SemdedupWork>;

const SHARD = '00000';
const CURVE = 'curve.json';
/** Cosines whose shares the end of a run names. */
const SHOWN = [0.99, 0.97, 0.95, 0.9, 0.85, 0.8];

/**
 * embeddings/ -> semantic-duplicates/: of each picture the most similar one before it in its cluster, a mark where that is a duplicate,
 * and the curve of what each threshold would keep. Runs on request only. One shard: clusters go over everything.
 */
export const semdedup: Stage<'semdedup', typeof semdedupOptions, SemdedupWork> = {
  name: 'semdedup',
  does: 'Finds semantic duplicates, as SemDeDup does: clusters the picture embeddings, and marks those that are nearly the same as another of their cluster.',
  reads: [{ dataset: 'embeddings', whole: true, unmarked: /^(?:img_emb\/img_emb|metadata\/metadata)_(\d+)\.(?:npy|parquet)$/ }],
  writes: 'semantic-duplicates',
  takenUpBy: '--drop-semantic-duplicates',
  unit: 'embeddings',
  format: 1,
  options: semdedupOptions,
  work: SemdedupWork,

  plan: ({ datasets }) => planMarks(datasets['embeddings']!),

  async run({ work }, { options, dataset, scratch }, effects) {
    const { signal } = effects;
    const embeddings = await embeddingRows(dataset('embeddings')!, work.parts, signal);
    effects.progress({ in: embeddings.rows });
    const { first: order, repeated } = withoutRepeated(embeddings.hashes);
    const journal = await effects.journal<unknown>([]);
    const vectors = vectorsInOrder(embeddings, { memoryBytes: options.memory * 1e6, signal });
    const settings = { vectors, scratch, signal, journal, onNoted: (step: Step) => effects.reached(step) };
    const clustered = await clusterEmbeddings(embeddings, order, options, settings);
    await dropRows(embeddings, (row) => (repeated.has(row) ? 'duplicate' : clustered.clusters[row]! < 0 ? 'not-finite' : undefined), effects);
    const byCluster = clusterOrder(order, clustered, options.whichToKeep);
    const nearest = await compareClusters(embeddings, byCluster, { ...settings, onRows: (out) => effects.progress({ out }) });
    const marks = await writeMarks(
      effects.files,
      `${SHARD}.parquet`,
      { hashes: embeddings.hashes, order, clusters: clustered.clusters },
      byCluster,
      nearest,
      options.cosine,
    );
    const curve = curveOf(nearest.cosines, { starts: byCluster.starts, cosine: options.cosine });
    await writeFile(await effects.files.path('curve.svg'), curveChart(curve));
    await writeFile(await effects.files.path(CURVE), `${JSON.stringify(curve, null, 2)}\n`);
    return { in: embeddings.rows, out: [marks], extra: { clusters: curve.clusters, semantic_duplicates: curve.semantic_duplicates } };
  },

  async seal({ own }) {
    const text = await own.storage.readText(CURVE);
    if (text === undefined) return;
    const { points, ...curve } = JSON.parse(text) as Curve;
    return { ...curve, points: points.filter((point) => SHOWN.includes(point.cosine)) };
  },

  conclude: (record) => ('points' in record ? curveLines(record as unknown as Curve) : []),
};

function planMarks(embeddings: DatasetState): Plan<SemdedupWork> {
  if (!embeddings.sealed) return { shards: [], complete: false };
  if (embeddings.shards.length === 0) return { shards: [], complete: true };
  const models = new Set(embeddings.shards.flatMap(({ madeBy }) => (madeBy ? [String(madeBy.options['model'])] : [])));
  if (models.size > 1)
    throw new UsageError(`The embeddings are of several models (${[...models].join(', ')}), which can't be compared. Make them again with one.`);
  const parts = embeddings.shards.map(({ name }) => name);
  return { shards: [{ name: SHARD, work: { parts }, inputs: [wholeInput('embeddings', embeddings)] }], complete: true };
}

/** Rows by hash, each hash once: one hash is one sample, and it is no duplicate of itself. */
function withoutRepeated(hashes: BigInt64Array): { first: Uint32Array; repeated: ReadonlySet<number> } {
  const repeated = new Set<number>();
  const order = orderByHash(hashes);
  const first = order.filter((row, i) => {
    const isFirst = i === 0 || hashes[row] !== hashes[order[i - 1]!];
    if (!isFirst) repeated.add(row);
    return isFirst;
  });
  return { first, repeated };
}

/** Drops the rows for which there is a reason, in their order. Their texts are read where there is one only. */
async function dropRows(
  { parts, hashes }: EmbeddingRows,
  reasonOf: (row: number) => 'duplicate' | 'not-finite' | undefined,
  effects: Effects<'semdedup'>,
): Promise<void> {
  let start = 0;
  for (const { metadata, rows } of parts) {
    const dropped = Array.from({ length: rows }, (_, i) => reasonOf(start + i));
    if (dropped.some((reason) => reason !== undefined)) {
      let i = 0;
      for await (const { url, caption } of readParquet<{ url?: string | null; caption?: string | null }>(metadata)) {
        const reason = dropped[i];
        if (reason) effects.drop(reason, { hash: hashes[start + i]!, url: url ?? '', text: caption ?? null, value: null, threshold: null });
        i++;
      }
    }
    start += rows;
  }
}

function curveLines({ rows, cosine, semantic_duplicates, points }: Curve): string[] {
  const share = (n: number): string => `${((100 * n) / Math.max(1, rows)).toFixed(1)} %`;
  const others = points.map((point) => `${share(point.dropped)} at ${point.cosine}`);
  return [
    `${semantic_duplicates.toLocaleString('en')} of ${rows.toLocaleString('en')} embeddings (${share(semantic_duplicates)}) are semantic duplicates at a cosine of ${cosine}. It would be ${others.join(', ')}: curve.svg beside the marks shows all. \`release --drop-semantic-duplicates\` leaves them out.`,
  ];
}

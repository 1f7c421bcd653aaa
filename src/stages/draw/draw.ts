import { z } from 'zod';
import { type Dataset, type DatasetState, itemsOf, type PublishedShard } from '../../contracts/dataset.ts';
import { ShardError } from '../../contracts/errors.ts';
import { BatchLink, withFurtherColumns } from '../../contracts/records.ts';
import { shardName } from '../../contracts/sample-key.ts';
import type { RunContext, Stage } from '../../contracts/stage.ts';
import type { StagingSources } from '../../db/reconcile.ts';
import { databaseError } from '../../db/database-error.ts';
import { schemaOfColumns } from '../../db/further-values.ts';
import { foreignLinks } from '../../db/links-chain.ts';
import { openStaging, type Staging } from '../../db/open-staging.ts';
import { readBatch } from '../../db/read-batch.ts';
import { restColumns } from '../../db/rest-columns.ts';
import { drawOptions } from './options.ts';

const DrawWork = z.object({ size: z.int().positive() });
type DrawWork = z.output<typeof DrawWork>;

/**
 * Draws batches of links at random from PostgreSQL into batches/NNNNN.parquet, in the order of their hash. Drawn links are
 * marked in the database with the number of the batch, the file is written, and when its marker is seen to be there, with the
 * next batch or at the end, they are let go of: a killed draw writes the same file again.
 */
export const draw: Stage<'draw', typeof drawOptions, DrawWork> = {
  name: 'draw',
  database: true,
  does: 'Draws batches of links at random from PostgreSQL, for download.',
  reads: [{ dataset: 'ingest' }, { dataset: 'links', optional: true, ...foreignLinks }],
  writes: 'batches',
  unit: 'links',
  format: 1,
  options: drawOptions,
  work: DrawWork,
  // Drawn again, a batch has other links, and what was downloaded is of no use.
  irreplaceable: true,
  threads: 'io',
  maxAhead: 2,
  // They would wait for each other.
  maxRunning: () => 1,

  plan({ options, datasets, own, redo = false }) {
    const size = options.numberSamplePerShard;
    const ingest = datasets['ingest']!;
    const { sealed } = ingest;
    const drawn = drawnWith(size, own.shards);
    // Drawn again, a batch is what it was as far as its links are there, which is known when all of them are in.
    const waiting = redo && !sealed ? 0 : waitingLinks(ingest, drawn);
    // A batch is full unless it is the last. An empty one says that there is nothing more, whatever the counts are.
    const rest = sealed && waiting % size > 0 && drawn.at(-1)?.out !== 0 ? 1 : 0;
    const finished = new Set(drawn.map(({ name }) => name));
    const names = [...finished];
    for (let number = 0; names.length < finished.size + Math.floor(waiting / size) + rest; number++)
      if (!finished.has(shardName(number))) names.push(shardName(number));
    // Those of another size keep their numbers until they are drawn again.
    const all = [...new Set([...names, ...own.shards.map(({ name }) => name)])].sort((a, b) => Number(a) - Number(b));
    return { shards: all.map((name) => ({ name, work: { size }, inputs: [] })), complete: sealed };
  },

  async run({ name, work: { size } }, context, effects) {
    const batch = Number(name);
    const { signal } = effects;
    try {
      const staging = await markedFor(batch, size, context, signal);
      effects.reached('leased');
      const columns = await restColumns(staging.sql);
      const file = await effects.files.parquet(`${name}.parquet`, withFurtherColumns(BatchLink, schemaOfColumns(columns), 'last'));
      for await (const link of readBatch(staging.sql, batch, columns)) {
        signal.throwIfAborted();
        await file.write(link);
      }
      effects.progress({ in: file.written, out: file.written });
      return { in: file.written, out: [file], warnings: [...staging.notes] };
    } catch (error) {
      signal.throwIfAborted();
      throw databaseError(`Batch ${name} can't be drawn`, error);
    }
  },

  async seal(context, { signal }) {
    const from = sources(context, context.options.numberSamplePerShard);
    await (await openStaging(context, from, { signal })).settle();
  },
};

/** Sees to it that the links of the batch are marked in the database. */
async function markedFor(batch: number, size: number, context: RunContext<unknown>, signal: AbortSignal): Promise<Staging> {
  const from = sources(context, size);
  const staging = await openStaging(context, from, { signal });
  const expected = waitingLinks(await from.ingest.state(), (await from.batches.state()).shards);
  if ((await staging.settle()) && (await staging.draw(batch, size, expected))) return staging;
  const mended = await openStaging(context, from, { signal, anew: true });
  if (!(await mended.draw(batch, size, expected)))
    throw new ShardError(
      `${expected} links should wait for batch ${shardName(batch)} by the markers in ${from.ingest.location}, but fewer do in the database, and ${from.links?.location ?? 'links/'} has no more. Run ingest again with --redo ingest.`,
    );
  return { ...mended, notes: [...staging.notes, ...mended.notes] };
}

/** What the seal of ingest records: links of a batch, by its digest, that links/ does not have any more. */
const IngestRecord = z.object({ vanished: z.record(z.string(), z.number()) });

/** Links that are in no finished batch, as far as the markers say. */
function waitingLinks({ shards, record }: DatasetState, drawn: readonly PublishedShard[]): number {
  const vanished = IngestRecord.safeParse(record).data?.vanished ?? {};
  return Math.max(0, itemsOf(shards) - itemsOf(drawn) + drawn.reduce((sum, { digest }) => sum + (vanished[digest] ?? 0), 0));
}

function sources(context: RunContext<unknown>, size: number): StagingSources & { batches: Dataset } {
  const state = async (): Promise<DatasetState> => {
    const { shards, sealed } = await context.own.state();
    return { shards: drawnWith(size, shards), sealed };
  };
  return { links: context.dataset('links'), ingest: context.dataset('ingest')!, batches: { ...context.own, state }, size };
}

/** Batches of another size are only there until --redo comes to them: their links wait again. */
function drawnWith(size: number, shards: readonly PublishedShard[]): PublishedShard[] {
  return shards.filter(({ madeBy }) => madeBy === undefined || madeBy.options['numberSamplePerShard'] === size);
}

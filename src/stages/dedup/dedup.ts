import { type Candidate, Link, type SetName, setNames, setOfLanguage, withFurtherColumns } from '../../contracts/records.ts';
import type { RunContext, Stage } from '../../contracts/stage.ts';
import type { RowWriter } from '../../contracts/shard-files.ts';
import { furtherColumns, furtherValues } from '../../formats/further-columns.ts';
import { readParquetBatches } from '../../formats/parquet.ts';
import { finishedLane, type LanePosition, nextPosition, positionAfter, positionBefore } from './bloom-chain.ts';
import { bloomInputs } from './bloom-inputs.ts';
import { JournalWriter, journalName, KEY_BYTES } from './bloom-journal.ts';
import { assertFitsMemory, describeMemory, lanesAtOnce } from './bloom-memory.ts';
import { bloomBytes } from './bloom-size.ts';
import { type BloomState, isSaved, isSnapshotDue, laneIn, readState, saveState } from './bloom-state.ts';
import { keyWords, partitionOf } from './dedup-key.ts';
import { KeptState } from './kept-state.ts';
import { type DedupOptions, dedupOptions } from './options.ts';
import { DedupWork, planLanes } from './plan-lanes.ts';

/** Each link once over all shards, first come first kept, in three sets by language. */
export const dedup: Stage<'dedup', typeof dedupOptions, DedupWork> = {
  name: 'dedup',
  does: 'Keeps each URL once over all shards in their order, by a bloom filter, in three sets: English, other languages, no language.',
  reads: [{ dataset: 'candidates', unmarked: /^(\d+)\.parquet$/ }],
  writes: 'links',
  unit: 'links',
  format: 3,
  options: dedupOptions,
  work: DedupWork,
  announce: (options) => [describeMemory(options)],
  check: assertFitsMemory,
  maxRunning: lanesAtOnce,
  async plan({ options, datasets }) {
    return planLanes(datasets['candidates']!, options.partitions, lanesAtOnce(options), await bloomInputs(options));
  },
  async run(shard, context, effects) {
    const { options, own } = context;
    const { partition, partitions, input, last } = shard.work;
    const kept = await keptState(context);
    const before = await positionBefore(shard, own, options);
    const lane = laneIn(context, partition);
    const state = kept.take(own.location, before) ?? (await readState(lane, before));
    // All that it holds is of finished shards now.
    if (isSnapshotDue(state)) await saveState(lane, state);
    const path = await context.dataset('candidates')!.fetch(`${input}.parquet`);
    const further = await furtherColumns(path, Link);
    const isPlain = Object.keys(further).length === 0;
    const schema = withFurtherColumns(Link, further, 'last');
    const writers = new Map<SetName, RowWriter<Link>>();
    for (const set of setNames) writers.set(set, await effects.files.parquet(`${set}/${shard.name}.parquet`, schema));
    const journal = await JournalWriter.open(await effects.files.path(journalName(shard.name)));
    let taken = 0;
    let keys;
    try {
      for await (const links of readParquetBatches<Candidate>(path)) {
        let written = 0;
        const start = taken;
        for (const link of links) {
          if (partitionOf(link.url, partitions) !== partition) continue;
          taken++;
          const key = keyWords(link, options.dedupKey);
          if (state.filter.add(key)) {
            journal.add(key);
            written++;
            await writers.get(setOfLanguage(link.language))!.write(isPlain ? link : { ...link, ...furtherValues({ ...link }, further) });
          } else effects.drop('duplicate-url', { hash: link.hash, url: link.url, text: link.text, value: null, threshold: null });
        }
        await journal.flush();
        effects.progress({ in: taken - start, out: written });
      }
      keys = await journal.close();
    } catch (error) {
      await journal.abort();
      throw error;
    }
    state.items += journal.keys;
    state.unsaved += KEY_BYTES * journal.keys;
    state.position = nextPosition(before, shard.name, keys);
    if (!last) kept.put(own.location, state);
    return { in: taken, out: [...writers.values()], warnings: fullWarnings(state, options), extra: { bloom: describe(state, options) } };
  },
  async seal(context, { signal }) {
    const { options, own } = context;
    const kept = await keptState(context);
    const ends: { partition: number; position: LanePosition }[] = [];
    for (let partition = 0; partition < options.partitions; partition++) {
      const last = (await finishedLane(own, { partition, partitions: options.partitions })).at(-1);
      const position = last === undefined ? undefined : await positionAfter(last, own);
      if (position) ends.push({ partition, position });
    }
    // First the one in memory: then it makes room for the others.
    ends.sort((a, b) => Number(kept.has(own.location, b.position)) - Number(kept.has(own.location, a.position)));
    for (const { partition, position } of ends) {
      signal.throwIfAborted();
      const lane = laneIn(context, partition);
      const state = kept.take(own.location, position);
      if (!(await isSaved(lane, position))) await saveState(lane, state ?? (await readState(lane, position)));
    }
  },
};

function keptState({ resources }: RunContext<DedupOptions>): Promise<KeptState> {
  // One for all lanes and options: see there.
  return resources.get('bloom', 'the one of this thread', () => new KeptState());
}

function describe({ filter, items, position }: BloomState, { dedupKey }: DedupOptions): Record<string, unknown> {
  return {
    key: dedupKey,
    items,
    bytes: bloomBytes(filter.size),
    hashes: filter.size.hashes,
    fill: filter.fill,
    false_positive_rate: filter.rate,
    chain: position.chain,
  };
}

function fullWarnings({ filter, items }: BloomState, { falsePositiveRate, expectedItems }: DedupOptions): string[] {
  // A little above is chance.
  if (filter.rate < 1.1 * falsePositiveRate) return [];
  return [
    `The bloom filter is fuller than it was sized for: ${items} links (--expected-items ${expectedItems}), so ${filter.rate.toPrecision(2)} of new links are taken for known. Start again with a larger --expected-items.`,
  ];
}

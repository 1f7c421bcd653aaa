import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { UsageError } from '../../contracts/errors.ts';
import { type Candidate, Link, type SetName, setNames } from '../../contracts/records.ts';
import type { ShardInput, Stage } from '../../contracts/stage.ts';
import { countParquetRows, ParquetFileWriter, readParquetBatches } from '../../formats/parquet.ts';
import { publish } from '../../runtime/publication.ts';
import { publishedInputs } from '../../runtime/shard-inputs.ts';
import { keyWords, partitionOf } from './dedup-key.ts';
import { assertFits, readFilterHeader } from './filter-file.ts';
import { JournalWriter, journalPath, KEY_BYTES } from './filter-journal.ts';
import { assertFitsMemory, describeMemory, sizeOfPartition } from './filter-memory.ts';
import { filterBytes } from './filter-size.ts';
import { type FilterState, forgetState, keepState, saveState, stateBefore } from './filter-state.ts';
import { type DedupOptions, dedupOptions } from './options.ts';
import { placeOf, shardsInOrder } from './shard-place.ts';

/** Each link once over all shards, first come first kept, in three sets by language. */
export const dedup: Stage<'dedup', typeof dedupOptions> = {
  name: 'dedup',
  does: 'Keeps each URL once over all shards in their order, by a bloom filter, in three sets: English, other languages, no language.',
  reads: 'candidates',
  writes: 'links',
  unit: 'links',
  format: 2,
  options: dedupOptions,
  ordered: true,
  announce: (options) => [describeMemory(options)],
  async plan({ folders, options }) {
    assertFitsMemory(options);
    const filters = await filterInputs(options);
    return shardsInOrder(folders.input, await publishedInputs(folders.input, '.parquet'), filters, options.partitions);
  },
  async run(shard, { options, folders }, effects) {
    const place = placeOf(shard);
    const state = await stateBefore(shard.name, place, folders.output, options);
    let came = 0;
    const out = await publish(effects, async (publication) => {
      const paths = new Map<SetName, string>();
      for (const set of setNames) paths.set(set, await publication.file(join(folders.output, set, `${shard.name}.parquet`)));
      const journal = await JournalWriter.open(await publication.file(journalPath(folders.output, shard.name)));
      const writers = await openWriters(paths);
      try {
        for await (const links of readParquetBatches<Candidate>(place.path)) {
          let written = 0;
          const before = came;
          for (const link of links) {
            if (partitionOf(link.url, place.partitions) !== place.partition) continue;
            came++;
            const key = keyWords(link, options.dedupKey);
            if (state.filter.add(key)) {
              journal.add(key);
              written++;
              await writers.get(setOf(link.language))!.write(link);
            } else effects.drop('duplicate-url', { hash: link.hash, url: link.url, text: link.text, value: null, threshold: null });
          }
          await journal.flush();
          effects.progress({ in: came - before, out: written });
        }
      } catch (error) {
        for (const writer of [...writers.values(), journal]) await writer.abort();
        throw error;
      }
      for (const writer of writers.values()) await writer.close();
      await journal.close();
      state.items += journal.keys;
      state.unsaved += KEY_BYTES * journal.keys;
      let rows = 0;
      for (const path of paths.values()) rows += await countParquetRows(path);
      return rows;
    });
    keepState(place, folders.output, state);
    return { in: came, out, warnings: fullWarnings(state, options), extra: { filter: describe(state, options) } };
  },
  async finished(shard, { options, folders }) {
    const place = placeOf(shard);
    const last = await isLast(folders.input, place.path);
    await saveState(shard.name, place, folders.output, options, last);
    // The next partition, or the next stage, has the memory for itself.
    if (last) forgetState();
  },
  async close() {
    forgetState();
  },
};

async function openWriters(paths: ReadonlyMap<SetName, string>): Promise<Map<SetName, ParquetFileWriter<Link>>> {
  const writers = new Map<SetName, ParquetFileWriter<Link>>();
  for (const [set, path] of paths) writers.set(set, await ParquetFileWriter.open(path, Link));
  return writers;
}

function setOf(language: string): SetName {
  return language === 'en' ? 'en' : language === '' ? 'nolang' : 'multi';
}

/** The filters that the options name, checked, known by their content. */
async function filterInputs(options: DedupOptions): Promise<ShardInput[]> {
  const inputs: ShardInput[] = [];
  for (const path of options.filter) {
    const header = await readFilterHeader(path);
    if (!header) throw new UsageError(`The filter ${path} does not exist. Give a file that dedup has written (links/_filter/*.bloom).`);
    assertFits(path, header, { ...sizeOfPartition(options), key: options.dedupKey, partitions: options.partitions }, options);
    const digest = createHash('sha256');
    await pipeline(createReadStream(path), digest);
    inputs.push({ path, identity: digest.digest('hex') });
  }
  return inputs;
}

/** Whether no finished shard of candidates comes after the one at `path`. */
async function isLast(folder: string, path: string): Promise<boolean> {
  const name = basename(path, '.parquet');
  // Names are all but always consecutive: the folder, which may be large, is read at the end or at a gap only.
  const next = String(Number(name) + 1).padStart(name.length, '0');
  if (await exists(join(folder, `${next}.parquet`))) return false;
  const names = (await readdir(folder)).filter((file) => /^\d+_stats\.json$/.test(file) || /^\d+\.parquet$/.test(file));
  return !names.some((file) => file.replace(/_stats\.json$|\.parquet$/, '') > name);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function describe({ filter, items }: FilterState, { dedupKey }: DedupOptions): Record<string, unknown> {
  return { key: dedupKey, items, bytes: filterBytes(filter.size), hashes: filter.size.hashes, fill: filter.fill, false_positive_rate: filter.rate };
}

function fullWarnings({ filter, items }: FilterState, { falsePositiveRate, expectedItems }: DedupOptions): string[] {
  // A little above is chance.
  if (filter.rate < 1.1 * falsePositiveRate) return [];
  return [
    `The bloom filter is fuller than it was sized for: ${items} links (--expected-items ${expectedItems}), so ${filter.rate.toPrecision(2)} of new links are taken for known. Start again with a larger --expected-items.`,
  ];
}

import { hash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Dataset, DatasetState } from '../../contracts/dataset.ts';
import { UsageError } from '../../contracts/errors.ts';
import { packageVersion } from '../../contracts/package-root.ts';
import { setNames, type SetName } from '../../contracts/records.ts';
import type { Effects, Plan, PlanContext, Stage } from '../../contracts/stage.ts';
import { wholeInput } from '../../contracts/whole-input.ts';
import { openWorkDatabase, type WorkDatabase } from '../../formats/duckdb.ts';
import { stableJson } from '../../runtime/stable-json.ts';
import { contentChecksum } from './content-checksum.ts';
import { joinPairs } from './joined-pairs.ts';
import { MadeWith, madeWith } from './made-with.ts';
import { nameUuid } from './name-uuid.ts';
import { dropNearDuplicates } from './near-duplicates.ts';
import { type ReleaseOptions, releaseOptions } from './options.ts';
import { dropSemanticDuplicates, readSemanticDuplicates } from './semantic-duplicates.ts';
import { releaseStatistics } from './statistics.ts';
import { removeUnnamedParts } from './unnamed-parts.ts';
import { type ReleasePart, writeParts } from './write-parts.ts';

const FORMAT = 1;

const Source = z.object({ shards: z.array(z.string()), madeWith: z.array(MadeWith) });
/** What is joined: shards of pairs/ and tags/, and of semantic-duplicates/ where those are dropped; and with what they were made. */
const ReleaseWork = z.object({ pairs: Source, tags: Source.optional(), semanticDuplicates: Source.optional() });
type ReleaseWork = z.infer<typeof ReleaseWork>;

/**
 * The dataset as it is given away. One shard: the sort and the join go over everything. Nothing in its files tells how
 * batches were drawn, in how many shards, where or when. The manifest is published last and names the parts; those of an
 * earlier release stay beside the new ones until then.
 */
export const release: Stage<'release', typeof releaseOptions, ReleaseWork> = {
  name: 'release',
  does: 'Joins pairs and tags into the dataset in LAION’s columns, in three sets, with statistics and a manifest.',
  reads: [
    { dataset: 'pairs', whole: true, unmarked: /^(\d+)\.parquet$/ },
    { dataset: 'tags', whole: true, optional: true, unmarked: /^(\d+)\.parquet$/ },
    { dataset: 'semantic-duplicates', whole: true, optional: true, unmarked: /^(\d+)\.parquet$/ },
  ],
  writes: 'release',
  unit: 'pairs',
  format: FORMAT,
  options: releaseOptions,
  work: ReleaseWork,
  locates: { tags: 'tags', semanticDuplicates: 'semantic-duplicates' },
  swaps: true,

  plan: planRelease,

  async run({ work }, context, effects) {
    const { options } = context;
    const { dropNearDuplicates: distance, dropSemanticDuplicates: cosine } = options;
    const pairs = await shardFiles(context.dataset('pairs')!, work.pairs.shards);
    const tags = work.tags ? await shardFiles(context.dataset('tags')!, work.tags.shards) : [];
    const marks = work.semanticDuplicates ? await shardFiles(context.dataset('semantic-duplicates')!, work.semanticDuplicates.shards) : [];
    const database = await openWorkDatabase(join(context.scratch, 'duckdb'), { memoryMb: options.memory, threads: Math.min(4, availableParallelism()) });
    try {
      const inputs = await joinPairs(database, {
        pairs,
        tags,
        foreignTags: work.tags?.madeWith.length === 0,
        seed: options.seed,
        columns: options.columns,
        withLooks: distance !== undefined,
      });
      effects.progress({ in: inputs.pairs.rows });
      await dropDuplicates(database, effects);
      if (distance !== undefined) await dropNearDuplicates(database, distance, effects);
      const marked = marks.length > 0 ? await readSemanticDuplicates(database, marks) : 0;
      if (cosine !== undefined && marked > 0) await dropSemanticDuplicates(database, cosine, effects);
      const manifest = {
        tool: 'pairmill',
        version: packageVersion(),
        format: FORMAT,
        options: {
          seed: options.seed,
          rowsPerPart: options.rowsPerPart,
          columns: inputs.carried.map(({ name }) => name),
          ...(distance !== undefined && { dropNearDuplicates: distance }),
          ...(cosine !== undefined && { dropSemanticDuplicates: cosine }),
        },
        made_with: {
          filter: work.pairs.madeWith,
          ...(work.tags && { tag: work.tags.madeWith }),
          ...(work.semanticDuplicates && { semdedup: work.semanticDuplicates.madeWith }),
        },
        inputs: {
          pairs: { rows: inputs.pairs.rows, sha256: await contentChecksum(database, 'pairs') },
          tags: { rows: inputs.tags.rows, sha256: await contentChecksum(database, 'tags') },
          ...(marks.length > 0 && { semantic_duplicates: { rows: marked, sha256: await contentChecksum(database, 'semantic_duplicates') } }),
        },
      };
      const fingerprint = hash('sha256', stableJson({ ...manifest, version: undefined }));
      const statistics = await releaseStatistics(database, inputs.heads);
      const sets = {} as Record<SetName, { uuid: string; rows: number; files: ReleasePart[] }>;
      for (const set of setNames) {
        const uuid = nameUuid(`${set} ${fingerprint}`);
        const files = await writeParts(database, effects.files, { set, uuid, rowsPerPart: options.rowsPerPart, ...inputs }, (out) => effects.progress({ out }));
        sets[set] = { uuid, rows: files.reduce((sum, { rows }) => sum + rows, 0), files };
      }
      await writeFile(await effects.files.path('statistics.json'), json(statistics));
      await writeFile(await effects.files.path('manifest.json'), json({ ...manifest, fingerprint, sets }));
      return { in: inputs.pairs.rows, out: setNames.reduce((sum, set) => sum + sets[set].rows, 0) };
    } finally {
      await database.close();
    }
  },

  seal: ({ own }) => removeUnnamedParts(own.storage),
};

function planRelease({ options, datasets }: Pick<PlanContext<ReleaseOptions>, 'options' | 'datasets'>): Plan<ReleaseWork> {
  const { pairs, tags } = datasets;
  const marks = options.dropSemanticDuplicates === undefined ? undefined : datasets['semantic-duplicates'];
  if (!pairs!.sealed || tags?.sealed === false || marks?.sealed === false) return { shards: [], complete: false };
  if (options.tags !== undefined && !tags?.shards.length)
    throw new UsageError(`${options.tags} holds no tags (NNNNN.parquet). Make them with tag, or name another folder with --tags.`);
  if (pairs!.shards.length === 0) return { shards: [], complete: true };
  if (options.dropSemanticDuplicates !== undefined && !marks?.shards.length)
    throw new UsageError(
      `--drop-semantic-duplicates: ${options.semanticDuplicates ?? 'semantic-duplicates/'} holds nothing that semdedup wrote. Run pairmill semdedup first, or name its output with --semantic-duplicates.`,
    );
  const work: ReleaseWork = {
    pairs: sourceOf(pairs!),
    ...(tags && tags.shards.length > 0 && { tags: sourceOf(tags) }),
    ...(marks && { semanticDuplicates: sourceOf(marks) }),
  };
  // The manifest tells how its inputs were made: where that alone has changed, it is another one.
  const made = [work.pairs, work.tags, ...(work.semanticDuplicates ? [work.semanticDuplicates] : [])].map((source) => source?.madeWith);
  const making = { name: 'what pairs and tags were made with', digest: hash('sha256', stableJson(made)) };
  const inputs = [
    wholeInput('pairs', pairs!),
    ...(work.tags ? [wholeInput('tags', tags!)] : []),
    ...(marks ? [wholeInput('semantic-duplicates', marks)] : []),
    making,
  ];
  return { shards: [{ name: '00000', work, inputs }], complete: true };
}

function sourceOf(dataset: DatasetState): z.output<typeof Source> {
  return { shards: dataset.shards.map(({ name }) => name), madeWith: madeWith(dataset) };
}

async function shardFiles(dataset: Dataset, shards: readonly string[]): Promise<string[]> {
  const paths: string[] = [];
  for (const shard of shards) paths.push(await dataset.fetch(`${shard}.parquet`));
  return paths;
}

async function dropDuplicates(database: WorkDatabase, effects: Effects<'release'>): Promise<void> {
  const sql = 'SELECT hash, url, caption, copy FROM joined WHERE copy > 1 ORDER BY hash, copy';
  for await (const { hash, url, caption, copy } of database.stream<{ hash: bigint; url: string; caption: string; copy: bigint }>(sql))
    effects.drop('duplicate', { hash, url, text: caption, value: `copy ${copy}`, threshold: null });
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

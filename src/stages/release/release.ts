import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../../contracts/errors.ts';
import { packageVersion } from '../../contracts/package-root.ts';
import { setNames, type SetName } from '../../contracts/records.ts';
import type { Shard, ShardResult, Stage, StageContext } from '../../contracts/stage.ts';
import { openWorkDatabase, type WorkDatabase } from '../../formats/duckdb.ts';
import { stableJson } from '../../runtime/completion.ts';
import { publish } from '../../runtime/publication.ts';
import { type PublishedShard, publishedInputs } from '../../runtime/shard-inputs.ts';
import { contentChecksum } from './content-checksum.ts';
import { joinPairs } from './joined-pairs.ts';
import { madeWith } from './made-with.ts';
import { nameUuid } from './name-uuid.ts';
import { type ReleaseOptions, releaseOptions } from './options.ts';
import { releaseStatistics } from './statistics.ts';
import { type ReleasePart, writeParts } from './write-parts.ts';

const FORMAT = 1;

/**
 * The dataset as it is given away. One shard: the sort and the join go over everything. Nothing in its files tells how
 * batches were drawn, in how many shards, where or when.
 */
export const release: Stage<'release', typeof releaseOptions> = {
  name: 'release',
  does: 'Joins pairs and tags into the dataset in LAION’s columns, in three sets, with statistics and a manifest.',
  reads: 'pairs',
  writes: 'release',
  unit: 'pairs',
  format: FORMAT,
  options: releaseOptions,

  async plan(context): Promise<Shard[]> {
    const { folders } = context;
    const inputs = [{ path: folders.input, identity: identityOf(await publishedInputs(folders.input, '.parquet')) }];
    const tags = await tagShards(context);
    if (tags.length > 0) inputs.push({ path: tagsFolder(context)!, identity: identityOf(tags) });
    return [{ name: '00000', inputs }];
  },

  async run(_shard, context, effects): Promise<ShardResult> {
    const { folders, options } = context;
    const tagFolder = tagsFolder(context);
    const pairs = (await publishedInputs(folders.input, '.parquet')).map(({ name }) => join(folders.input, `${name}.parquet`));
    const tags = (await tagShards(context)).map(({ name }) => join(tagFolder!, `${name}.parquet`));
    const database = await openWorkDatabase(join(folders.output, '.work'), { memoryMb: options.memory, threads: Math.min(4, availableParallelism()) });
    try {
      const inputs = await joinPairs(database, { pairs, tags, seed: options.seed });
      effects.progress({ in: inputs.pairs.rows });
      await dropDuplicates(database, effects.drop);
      const manifest = {
        tool: 'pairmill',
        version: packageVersion(),
        format: FORMAT,
        options: { seed: options.seed, rowsPerPart: options.rowsPerPart },
        made_with: { filter: await madeWith(folders.input), ...(tagFolder !== undefined && { tag: await madeWith(tagFolder) }) },
        inputs: {
          pairs: { rows: inputs.pairs.rows, sha256: await contentChecksum(database, 'pairs') },
          tags: { rows: inputs.tags.rows, sha256: await contentChecksum(database, 'tags') },
        },
      };
      const fingerprint = createHash('sha256')
        .update(stableJson({ ...manifest, version: undefined }))
        .digest('hex');
      const statistics = await releaseStatistics(database, inputs.heads);
      const parts = await publish(effects, async (publication) => {
        const sets = {} as Record<SetName, { uuid: string; rows: number; files: ReleasePart[] }>;
        for (const set of setNames) {
          const uuid = nameUuid(`${set} ${fingerprint}`);
          const folder = await publication.file(join(folders.output, set));
          const files = await writeParts(database, folder, { set, heads: inputs.heads, uuid, rowsPerPart: options.rowsPerPart }, (out) =>
            effects.progress({ out }),
          );
          sets[set] = { uuid, rows: files.reduce((sum, { rows }) => sum + rows, 0), files };
        }
        await writeFile(await publication.file(join(folders.output, 'statistics.json')), json(statistics), { flush: true });
        await writeFile(await publication.file(join(folders.output, 'manifest.json')), json({ ...manifest, fingerprint, sets }), { flush: true });
        return sets;
      });
      return { in: inputs.pairs.rows, out: setNames.reduce((sum, set) => sum + parts[set].rows, 0) };
    } finally {
      await database.close();
    }
  },
};

async function dropDuplicates(
  database: WorkDatabase,
  drop: (reason: 'duplicate', item: { hash: bigint; url: string; text: string; value: string; threshold: null }) => void,
): Promise<void> {
  const sql = 'SELECT hash, url, caption, copy FROM joined WHERE copy > 1 ORDER BY hash, copy';
  for await (const { hash, url, caption, copy } of database.stream<{ hash: bigint; url: string; caption: string; copy: bigint }>(sql))
    drop('duplicate', { hash, url, text: caption, value: `copy ${copy}`, threshold: null });
}

function tagsFolder({ folders, options }: StageContext<ReleaseOptions>): string | undefined {
  return options.tags ?? folders.stages.tag;
}

/** The shards of tags/. That a run has none is no error: a release of pairs alone has null in the tag columns. */
async function tagShards(context: StageContext<ReleaseOptions>): Promise<PublishedShard[]> {
  const folder = tagsFolder(context);
  if (folder === undefined) return [];
  try {
    return await publishedInputs(folder, '.parquet');
  } catch (error) {
    if (context.options.tags === undefined && error instanceof UsageError) return [];
    throw error;
  }
}

/** One line for all shards of a folder: a marker with half a million of them would be of no use. */
function identityOf(shards: readonly PublishedShard[]): string {
  return `${shards.length} shards, sha256 ${createHash('sha256').update(stableJson(shards)).digest('hex')}`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

import type { Dataset } from '../../contracts/dataset.ts';
import { ShardError } from '../../contracts/errors.ts';
import type { Resources } from '../../contracts/stage.ts';
import { shardsOfKey } from '../../contracts/sample-key.ts';
import { readColumnGroups } from '../../formats/parquet-column-groups.ts';
import { readSampleShard, sampleShardFiles, type ShardSample } from '../../formats/sample-shard.ts';
import { encodeAhead } from '../../models/encode-ahead.ts';
import type { FoundClassifier } from '../../models/classifiers/find-classifier.ts';
import type { ModelSettings } from '../../models/model-settings.ts';
import type { Classify } from '../../models/classifiers/open-classifier.ts';
import { pictureClassifier } from '../../models/classifiers/shared-classifiers.ts';
import type { ScoredColumns } from './scored-columns.ts';

/** The rows of a part whose pictures are in one shard, by key. */
interface RowsOfShard {
  shard: string;
  rows: Map<string, number>;
}

/** What is read: the metadata of a part, and the tars of `pairs` that hold its pictures. */
export interface PicturesOfPart {
  metadata: string;
  pairs: Dataset;
  /** Names of its shards. */
  shards: readonly string[];
}

/** How classifiers run. */
export interface Classifying {
  resources: Resources;
  settings: ModelSettings;
  batchSize: number;
  signal: AbortSignal;
}

/** Scores the pictures of a part. Each tar is read once; the keys of the part are in memory. */
export async function scorePictures(part: PicturesOfPart, classifiers: readonly FoundClassifier[], scored: ScoredColumns, how: Classifying): Promise<void> {
  const classify: { by: FoundClassifier; of: Classify<Uint8Array> }[] = [];
  for (const by of classifiers) classify.push({ by, of: await pictureClassifier(how.resources, by, how.settings) });
  const encode = (batch: readonly Placed[]) => Promise.all(classify.map(({ of }) => of(batch.map(({ sample }) => sample.picture))));
  for (const wanted of await rowsByShard(part.metadata, part.shards)) {
    const left = new Set(wanted.rows.values());
    for await (const { batch, encoded } of encodeAhead(wantedSamples(wanted, part.pairs), how.batchSize, encode)) {
      how.signal.throwIfAborted();
      for (const [i, { row }] of batch.entries()) {
        left.delete(row);
        scored.set(
          row,
          classify.map(({ by }, at) => ({ by, values: encoded[at]![i]! })),
          'decode-failed',
        );
      }
    }
    scored.count('no-picture', left.size);
  }
}

interface Placed {
  row: number;
  sample: ShardSample;
}

async function* wantedSamples({ shard, rows }: RowsOfShard, pairs: Dataset): AsyncGenerator<Placed> {
  for await (const sample of readSampleShard(await sampleShardFiles(pairs, shard))) {
    const row = rows.get(sample.key);
    if (row !== undefined) yield { row, sample };
  }
}

/** The rows of a part by the shard of their pictures: other tools mix shards within a part. */
async function rowsByShard(metadata: string, shards: readonly string[]): Promise<RowsOfShard[]> {
  const known = new Set(shards);
  const found = new Map<string, RowsOfShard>();
  let row = 0;
  for await (const { rows, columns } of readColumnGroups(metadata, ['image_path'], 'text')) {
    const keys = columns.get('image_path')!;
    for (let i = 0; i < rows; i++, row++) {
      const key = String(keys[i]);
      const shard = shardsOfKey(key).find((name) => known.has(name));
      if (shard === undefined)
        throw new ShardError(
          `${metadata} names the picture ${key}, and no shard of the tars that are here (${known.size}) has its number. Name the folder of the tars that were embedded with --pairs, or leave --image-models out.`,
        );
      let ofShard = found.get(shard);
      if (!ofShard) found.set(shard, (ofShard = { shard, rows: new Map() }));
      ofShard.rows.set(key, row);
    }
  }
  return [...found.values()];
}

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EmbeddingMetadata } from '../../../src/contracts/records.ts';
import type { Shard } from '../../../src/contracts/stage.ts';
import { npyShape, readNpy } from '../../../src/formats/npy.ts';
import { readParquet } from '../../../src/formats/parquet.ts';
import { cosine } from '../../../src/models/vectors.ts';
import { embed } from '../../../src/stages/embed/embed.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { requirePython } from '../../python.ts';
import { emojiSamples, writeSamplesShard } from '../emoji-samples.ts';
import { runOneStage } from '../run-one-stage.ts';

let run: string;
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'embed-'));
  for (const name of ['00000', '00001', '00003']) await writeSamplesShard(join(run, 'samples'), name, emojiSamples.slice(0, 5));
  await runOneStage(filter, run, { model: 'mini' });
});
afterEach(() => rm(run, { recursive: true, force: true }));
afterAll(() => embed.close!());

const metadata = (part: string): Promise<EmbeddingMetadata[]> =>
  Array.fromAsync(readParquet<EmbeddingMetadata>(join(run, `embeddings/metadata/metadata_${part}.parquet`)));

describe('embed', () => {
  test('three files whose rows belong together, L2-normalised, in the order of the pairs', async () => {
    const { summary } = await runOneStage(embed, run, { model: 'mini' });
    expect(summary).toMatchObject({ in: 12, out: 12, dropped: {} });
    const images = await readNpy(join(run, 'embeddings/img_emb/img_emb_00000.npy'));
    const texts = await readNpy(join(run, 'embeddings/text_emb/text_emb_00000.npy'));
    const rows = await metadata('00000');
    expect([images.rows, texts.rows, rows.length, images.dimensions]).toEqual([12, 12, 12, 256]);
    expect(rows.map(({ image_path: key }) => key)).toEqual(['00000', '00001', '00003'].flatMap((name) => [0, 1, 2, 3].map((i) => `${name}000${i}`)));
    expect(await npyShape(join(run, 'embeddings/img_emb/img_emb_00000.npy'))).toEqual({ rows: 12, dimensions: 256, type: '<f2' });
    for (const [i, row] of rows.entries()) {
      expect(row.image_path).toBe(row.key);
      expect(cosine(images.row(i), images.row(i))).toBeCloseTo(1, 2);
      // The filter's float32 vectors, rounded to float16.
      expect(cosine(images.row(i), texts.row(i))).toBeCloseTo(row.similarity, 2);
    }
  });

  test('float32 on demand: the cosine is the similarity that the filter found', async () => {
    await runOneStage(embed, run, { model: 'mini', precision: 'float32' });
    const images = await readNpy(join(run, 'embeddings/img_emb/img_emb_00000.npy'));
    const texts = await readNpy(join(run, 'embeddings/text_emb/text_emb_00000.npy'));
    for (const [i, row] of (await metadata('00000')).entries()) expect(cosine(images.row(i), texts.row(i))).toBe(row.similarity);
  });

  test('parts are runs of consecutive shards, by shards or by samples', async () => {
    const parts = async (options: object): Promise<string[][]> => {
      const planned = await embed.plan(
        {
          options: embed.options.parse({ model: 'mini', ...options }),
          folders: { input: join(run, 'pairs'), output: join(run, 'embeddings'), rejects: '', stages: {} },
        },
        { reached: () => undefined },
      );
      return (planned as Shard[]).map(({ name, inputs }) => [name, ...inputs.map(({ path }) => path.slice(-9, -4))]);
    };
    expect(await parts({})).toEqual([['00000', '00000', '00001', '00003']]);
    expect(await parts({ shardsPerPart: 2 })).toEqual([
      ['00000', '00000', '00001'],
      ['00001', '00003'],
    ]);
    expect(await parts({ writeBatchSize: 4 })).toEqual([
      ['00000', '00000'],
      ['00001', '00001'],
      ['00002', '00003'],
    ]);
    expect(await parts({ writeBatchSize: 5 })).toEqual([
      ['00000', '00000', '00001'],
      ['00001', '00003'],
    ]);
  });

  test('the same pairs give the same bytes, whatever the batches', async () => {
    const files = ['img_emb/img_emb_00000.npy', 'text_emb/text_emb_00000.npy', 'metadata/metadata_00000.parquet'];
    await runOneStage(embed, run, { model: 'mini' });
    const first = await Promise.all(files.map((file) => readFile(join(run, 'embeddings', file))));
    await runOneStage(embed, run, { model: 'mini', batchSize: 1 }, { redo: true });
    for (const [i, file] of files.entries()) expect((await readFile(join(run, 'embeddings', file))).equals(first[i]!), file).toBe(true);
  });

  test('embedding-reader reads parts in order', async (context) => {
    const python = requirePython(context, 'embedding_reader');
    await runOneStage(embed, run, { model: 'mini', shardsPerPart: 1 });
    const read = JSON.parse(
      python(
        `import sys, json
from embedding_reader import EmbeddingReader
r = EmbeddingReader(embeddings_folder=sys.argv[1] + "/img_emb", metadata_folder=sys.argv[1] + "/metadata", meta_columns=["image_path", "hash", "caption"], file_format="parquet_npy")
keys, norms = [], []
for e, m in r(batch_size=5):
    keys += list(m["image_path"]); norms += [float((v * v).sum()) for v in e]
print(json.dumps({"count": int(r.count), "dimension": int(r.dimension), "keys": keys, "norms": norms}))`,
        [join(run, 'embeddings')],
      )
        .split('\n')
        .findLast((line) => line.startsWith('{'))!,
    ) as { count: number; dimension: number; keys: string[]; norms: number[] };
    expect([read.count, read.dimension, read.keys.length]).toEqual([12, 256, 12]);
    expect(read.keys).toEqual([...read.keys].sort());
    for (const norm of read.norms) expect(norm).toBeCloseTo(1, 2);
  });
});

import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Bytes, type EmbeddingMetadata, Pair } from '../../../src/contracts/records.ts';
import { npyShape, readNpy } from '../../../src/formats/npy.ts';
import { readParquet } from '../../../src/formats/parquet.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { readSampleShard } from '../../../src/formats/sample-shard.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { cosine } from '../../../src/models/vectors.ts';
import { embed } from '../../../src/stages/embed/embed.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { requirePython } from '../../python.ts';
import { emojiSamples, ownColumns, writeSamplesShard } from '../emoji-samples.ts';
import { runOneStage } from '../run-one-stage.ts';

let run: string;
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'embed-'));
  for (const name of ['00000', '00001', '00003']) await writeSamplesShard(join(run, 'samples'), name, emojiSamples.slice(0, 5));
  await runOneStage(filter, run, { model: 'mini' });
});
afterEach(() => rm(run, { recursive: true, force: true }));

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

  test('vectors from before CMYK and transparent pictures were seen as CLIPProcessor sees them are refused, and the message says what to do', async () => {
    await runOneStage(embed, run, { model: 'mini' });
    const path = join(run, 'embeddings/00000_stats.json');
    const marker = JSON.parse(await readFile(path, 'utf8')) as { made_by: { format: number } };
    await writeFile(path, JSON.stringify({ ...marker, made_by: { ...marker.made_by, format: 2 } }));
    await expect(runOneStage(embed, run, { model: 'mini' })).rejects.toThrow(
      /made by another version of Pairmill: the format was version 2, is 3 \(since 3, models see CMYK and transparent pictures as CLIPProcessor does.*--redo embed.*--accept-changed/,
    );
  });

  test("Parquet with pictures (img2dataset's and our --output-format parquet, the hub's) gives the vectors and rows of the same tars", async () => {
    await runOneStage(embed, run, { model: 'mini' });
    const samples = await Array.fromAsync(readSampleShard({ tar: join(run, 'pairs/00000.tar'), rows: join(run, 'pairs/00000.parquet') }));
    const ours = Pair.extend({ jpg: Bytes.nullable() });
    const hub = z.object({ image: Bytes, caption: z.string(), seller: z.string() });
    for (const [folder, schema] of Object.entries({ ours, hub })) {
      const rows = samples.map(({ raw, picture }) => ({ ...raw, jpg: picture, image: picture, seller: 'shop' }));
      const failed = { ...rows[0]!, jpg: null, status: 'failed_to_download' };
      await mkdir(join(run, folder));
      await writeParquet(
        join(run, folder, '00007.parquet'),
        schema,
        (schema === ours ? [failed, ...rows] : rows).map((row) => schema.parse(row)),
      );
      const { summary } = await runOneStage(embed, run, { model: 'mini' }, { input: join(run, folder), output: join(run, `${folder}-embeddings`) });
      expect(summary, folder).toMatchObject({ in: 4, out: 4, dropped: {} });
      for (const kind of ['img', 'text']) {
        const [of, from] = [`${kind}_emb/${kind}_emb_00000.npy`, `${folder}-embeddings`];
        const [whole, part] = [await readNpy(join(run, 'embeddings', of)), await readNpy(join(run, from, of))];
        for (let i = 0; i < 4; i++) expect(part.row(i)).toEqual(whole.row(i));
      }
    }
    const [first, second] = await Promise.all(
      ['ours', 'hub'].map((folder) => Array.fromAsync(readParquet(join(run, `${folder}-embeddings/metadata/metadata_00000.parquet`)))),
    );
    expect(first).toEqual((await metadata('00000')).slice(0, 4));
    expect(second!.map(({ image_path, caption, seller }) => [image_path, caption, seller])).toEqual(
      samples.map(({ row }, i) => [`00007000${i}`, row.caption, 'shop']),
    );
    // Rows alone are no pictures.
    await rm(join(run, 'pairs/00000.tar'));
    await mkdir(join(run, 'rows'));
    await copyFile(join(run, 'pairs/00000.parquet'), join(run, 'rows/00000.parquet'));
    await expect(runOneStage(embed, run, { model: 'mini' }, { input: join(run, 'rows'), output: join(run, 'none') })).rejects.toThrow(
      /00000\.parquet has no column of pictures \(jpg, jpeg, png, webp, image\), only/,
    );
  });

  test('float32 on demand: the cosine is the similarity that the filter found', async () => {
    await runOneStage(embed, run, { model: 'mini', precision: 'float32' });
    const images = await readNpy(join(run, 'embeddings/img_emb/img_emb_00000.npy'));
    const texts = await readNpy(join(run, 'embeddings/text_emb/text_emb_00000.npy'));
    for (const [i, row] of (await metadata('00000')).entries()) expect(cosine(images.row(i), texts.row(i))).toBe(row.similarity);
  });

  test('parts are runs of consecutive shards, by shards or by samples', async () => {
    const { shards } = await runOneStage(embed, run, { model: 'mini', writeBatchSize: 5 });
    expect(shards.map(({ shard, out, made_by: { inputs } }) => [shard, out, ...Object.keys(inputs)])).toEqual([
      ['00000', 8, 'pairs/00000', 'pairs/00001'],
      ['00001', 4, 'pairs/00003'],
    ]);
    expect((await metadata('00001')).map(({ key }) => key)).toEqual(['000030000', '000030001', '000030002', '000030003']);
  });

  test("columns of the user's own come last in the metadata; those of one shard only are null in the others", async () => {
    await rm(join(run, 'pairs'), { recursive: true });
    await writeSamplesShard(join(run, 'samples'), '00001', emojiSamples.slice(0, 3), ownColumns);
    await writeSamplesShard(join(run, 'samples'), '00003', emojiSamples.slice(0, 3), {
      types: { ...ownColumns.types, words: z.string(), note: z.string() },
      values: (sample, i) => ({ ...ownColumns.values(sample, i), words: 'three', note: 'new' }),
    });
    await runOneStage(filter, run, { model: 'mini' });
    await runOneStage(embed, run, { model: 'mini' });
    const rows = (await metadata('00000')) as (EmbeddingMetadata & Record<string, unknown>)[];
    expect(Object.keys(rows[0]!).slice(-5)).toEqual(['source', 'words', 'confidence', 'id64', 'note']);
    expect(rows.map(({ key, source, words, confidence, id64, note }) => [key, source, words, confidence, id64, note])).toEqual([
      ...[0, 1, 2, 3].map((i) => [`00000000${i}`, null, null, null, null, null]),
      ['000010000', null, '2', 0.5, 2n ** 60n, null],
      ['000010001', 'source Katzengesicht', '1', 0.5, 2n ** 60n + 1n, null],
      ['000010002', 'source apple', '1', 1, 2n ** 60n + 2n, null],
      ['000030000', null, 'three', 0.5, 2n ** 60n, 'new'],
      ['000030001', 'source Katzengesicht', 'three', 0.5, 2n ** 60n + 1n, 'new'],
      ['000030002', 'source apple', 'three', 1, 2n ** 60n + 2n, 'new'],
    ]);
    expect(rows.map(({ record_offset: offset }) => offset).slice(4, 7)).toEqual([2n ** 53n, null, 2n ** 53n + 2n]);
  });

  test('a shard that comes after all gets a part of its own; a part is made again where one of its shards has changed', async () => {
    await runOneStage(embed, run, { model: 'mini' });
    await writeSamplesShard(join(run, 'samples'), '00002', emojiSamples.slice(0, 5));
    await runOneStage(filter, run, { model: 'mini' });
    expect(await runOneStage(embed, run, { model: 'mini' })).toMatchObject({ made: ['00001'], kept: ['00000'] });
    expect((await metadata('00001')).map(({ key }) => key)).toEqual(['000020000', '000020001', '000020002', '000020003']);
    await writeSamplesShard(join(run, 'samples'), '00003', emojiSamples.slice(0, 2));
    expect(await runOneStage(filter, run, { model: 'mini' })).toMatchObject({ made: ['00003'], kept: ['00000', '00001', '00002'] });
    expect(await runOneStage(embed, run, { model: 'mini' })).toMatchObject({ made: ['00000'], kept: ['00001'] });
    expect((await metadata('00000')).map(({ key }) => key).slice(8)).toEqual(['000030000', '000030001']);
  });

  test("a webdataset of img2dataset's: no similarity, and a row from the json where there is no Parquet file", async () => {
    await rm(join(run, 'samples/00003.parquet'));
    const { summary } = await runOneStage(embed, run, { model: 'mini' }, { input: join(run, 'samples') });
    expect(summary).toMatchObject({ in: 15, out: 15 });
    const rows = await metadata('00000');
    for (const { similarity, NSFW } of rows) expect([similarity, NSFW]).toEqual([Number.NaN, null]);
    expect(rows[10]).toMatchObject({ key: '000030000', caption: 'dog face', hash: sampleHash('https://pictures.test/00003/0-dog-face.jpg', 'dog face') });
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

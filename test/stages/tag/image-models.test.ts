import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { EmbeddingMetadata } from '../../../src/contracts/records.ts';
import { parquetColumns, readParquet } from '../../../src/formats/parquet.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { embed } from '../../../src/stages/embed/embed.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { tag } from '../../../src/stages/tag/tag.ts';
import { emojiSamples, writeSamplesShard } from '../emoji-samples.ts';
import { digests, runOneStage } from '../run-one-stage.ts';

let run: string;
beforeAll(async () => {
  run = await mkdtemp(join(tmpdir(), 'tag-images-'));
  for (const name of ['00000', '00001', '00002']) await writeSamplesShard(join(run, 'samples'), name, emojiSamples.slice(0, 4));
  await runOneStage(filter, run, { model: 'mini', threshold: -1 });
  // Two shards in the first part, one in the second.
  await runOneStage(embed, run, { model: 'mini', shardsPerPart: 2 });
});
afterAll(() => rm(run, { recursive: true, force: true }));

const options = { model: 'mini', heads: ['is_face'], imageModels: ['nsfw_pixels'] };
const columns = ['drawing', 'hentai', 'neutral', 'porn', 'sexy'].map((label) => `nsfw_pixels_${label}`);
const rowsOf = (path: string): Promise<Record<string, number | bigint | null>[]> => Array.fromAsync(readParquet(path));
const metadata = (part: string): Promise<EmbeddingMetadata[]> =>
  Array.fromAsync(readParquet<EmbeddingMetadata>(join(run, `embeddings/metadata/metadata_${part}.parquet`)));

test('an image model reads the tars of its part: a column for each class, beside the heads, in the order of the part', async () => {
  const { summary, shards } = await runOneStage(tag, run, options);
  expect(summary).toMatchObject({ in: 12, out: 12, dropped: {} });
  expect(shards.map(({ made_by }) => Object.keys(made_by.inputs))).toEqual([
    ['embeddings/00000', 'pairs/00000', 'pairs/00001'],
    ['embeddings/00001', 'pairs/00002'],
  ]);
  expect(Object.keys(shards[0]!.made_by.models)).toEqual(
    expect.arrayContaining(['heads/is_face.safetensors', 'nsfw_pixels/model.onnx', 'nsfw_pixels/config.json']),
  );
  expect(await parquetColumns(join(run, 'tags/00000.parquet'))).toEqual(['hash', 'pface', ...columns]);
  const rows = [...(await rowsOf(join(run, 'tags/00000.parquet'))), ...(await rowsOf(join(run, 'tags/00001.parquet')))];
  const embedded = [...(await metadata('00000')), ...(await metadata('00001'))];
  expect(rows.map(({ hash }) => hash)).toEqual(embedded.map(({ hash }) => hash));
  for (const [i, row] of rows.entries()) {
    const scores = columns.map((name) => row[name] as number);
    expect(scores.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 4);
    // The same picture in each shard, whatever its batch.
    expect(scores).toEqual(columns.map((name) => rows[i % 4]![name]));
  }
  expect(new Set(rows.map((row) => row[columns[0]!])).size).toBe(4);
});

test('the same bytes whatever the batch and the number of workers', async () => {
  const before = await digests(join(run, 'tags'));
  await runOneStage(tag, run, { ...options, batchSize: 3 }, { redo: true, workers: 2 });
  expect(await digests(join(run, 'tags'))).toEqual(before);
});

test('a picture that is broken or missing costs its own values only, and is counted', async () => {
  const broken = join(run, 'broken-run');
  await cp(join(run, 'embeddings'), join(broken, 'embeddings'), { recursive: true });
  const samples = emojiSamples.slice(0, 4).map((sample, i) => (i === 1 ? { ...sample, bytes: Buffer.from('no picture') } : sample));
  await writeSamplesShard(join(broken, 'pairs'), '00000', samples);
  await writeSamplesShard(join(broken, 'pairs'), '00001', emojiSamples.slice(0, 2));
  await writeSamplesShard(join(broken, 'pairs'), '00002', emojiSamples.slice(0, 4));
  const { shards, summary } = await runOneStage(tag, broken, options);
  expect(summary).toMatchObject({ in: 12, out: 12, dropped: {} });
  expect(shards[0]).toMatchObject({
    unscored: { 'decode-failed': 1, 'no-picture': 2 },
    warnings: ['no score of a model (null) in 1 row: decode-failed', 'no score of a model (null) in 2 rows: no-picture'],
  });
  const rows = await rowsOf(join(broken, 'tags/00000.parquet'));
  expect(rows.map((row) => columns.every((name) => row[name] === null))).toEqual([false, true, false, false, false, false, true, true]);
  expect(rows.every(({ pface }) => typeof pface === 'number')).toBe(true);
});

test('embeddings of another tool with tars in a folder of their own; without tars the command says what is missing', async () => {
  const folder = join(run, 'clip-retrieval');
  await cp(join(run, 'embeddings'), folder, { recursive: true, filter: (path) => !path.includes('_stats') && !path.includes('/_') });
  // As several readers mix shards.
  const rows = await metadata('00000');
  const mixed = [0, 4, 1, 5, 2, 6, 3, 7].map((i) => rows[i]!);
  await writeParquet(
    join(folder, 'metadata/metadata_00000.parquet'),
    z.object({ caption: z.string(), url: z.string(), image_path: z.string() }),
    mixed.map((row) => ({ ...row, image_path: row.image_path })),
  );
  const tars = join(run, 'tars');
  await mkdir(tars);
  for (const name of ['00000', '00001', '00002']) await cp(join(run, `pairs/${name}.tar`), join(tars, `${name}.tar`));
  const output = join(run, 'other-tags');
  await runOneStage(tag, join(run, 'other'), { ...options, pairs: tars }, { input: folder, output });
  const expected = new Map((await rowsOf(join(run, 'tags/00000.parquet'))).map((row) => [row['hash'], row]));
  for (const row of await rowsOf(join(output, '00000.parquet'))) for (const name of columns) expect(row[name]).toBe(expected.get(row['hash'])![name]);

  await expect(runOneStage(tag, join(run, 'other'), options, { input: folder, output: join(run, 'none') })).rejects.toThrow(
    /there are no pairs\/ with tars. Name the folder of the tars that were embedded with --pairs/,
  );
  await rename(join(tars, '00001.tar'), join(tars, '00009.tar'));
  const { failed } = await runOneStage(tag, join(run, 'other'), { ...options, pairs: tars }, { input: folder, output: join(run, 'less'), mayFail: true });
  expect(failed).toMatchObject([{ shard: '00000', message: expect.stringMatching(/names the picture 000010000, and no shard of the tars/) as string }]);
});

test('a file that is no model of its configuration fails by name', async () => {
  const model = join(run, 'wrong-model');
  await cp(join(import.meta.dirname, '../../../models/nsfw-pixels'), model, { recursive: true, filter: (path) => !path.endsWith('checksums.json') });
  await writeFile(join(model, 'config.json'), JSON.stringify({ id2label: { '0': 'a', '1': 'b' } }));
  await expect(runOneStage(tag, run, { ...options, imageModels: [model] }, { output: join(run, 'wrong') })).rejects.toThrow(
    /float32 \[\d+,5\] where float32 \[\d+,2\] is expected: its config.json does not describe its ONNX file/,
  );
});

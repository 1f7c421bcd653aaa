import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { EmbeddingMetadata } from '../../../src/contracts/records.ts';
import { NpyWriter } from '../../../src/formats/npy-writer.ts';
import { safetensorsBytes } from '../../../src/formats/safetensors.ts';
import { parquetColumns, readParquet } from '../../../src/formats/parquet.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { embed } from '../../../src/stages/embed/embed.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { tag } from '../../../src/stages/tag/tag.ts';
import { writeSamplesShard } from '../emoji-samples.ts';
import { runOneStage } from '../run-one-stage.ts';

let run: string;
beforeAll(async () => {
  run = await mkdtemp(join(tmpdir(), 'tag-'));
  await writeSamplesShard(join(run, 'samples'), '00000', [
    { icon: 'flag-germany', caption: 'flag of Germany', language: 'en' },
    { icon: 'grinning-face', caption: 'grinning face', language: 'en' },
    { icon: 'pizza', caption: 'pizza', language: 'en' },
  ]);
  await runOneStage(filter, run, { model: 'mini' });
  await runOneStage(embed, run, { model: 'mini' });
});
afterAll(async () => {
  await rm(run, { recursive: true, force: true });
});

const tags = (): Promise<Record<string, unknown>[]> => Array.fromAsync(readParquet(join(run, 'tags/00000.parquet')));

const metadata = (part: string): Promise<EmbeddingMetadata[]> =>
  Array.fromAsync(readParquet<EmbeddingMetadata>(join(run, `embeddings/metadata/metadata_${part}.parquet`)));

describe('tag', () => {
  test("the heads of the model's folder, a column each, joined by hash", async () => {
    const { summary } = await runOneStage(tag, run, { model: 'mini' }, { redo: true });
    expect(summary).toMatchObject({ in: 3, out: 3, dropped: {} });
    const rows = await tags();
    expect(rows.map(({ hash }) => hash)).toEqual((await metadata('00000')).map(({ hash }) => hash));
    expect(await parquetColumns(join(run, 'tags/00000.parquet'))).toEqual(['hash', 'pface', 'pflag']);
    const [flag, face, pizza] = rows as Record<string, number>[];
    expect(flag!.pflag).toBeGreaterThan(0.5);
    expect(face!.pface).toBeGreaterThan(0.5);
    for (const other of [face!, pizza!]) expect(other.pflag).toBeLessThan(flag!.pflag!);
    for (const other of [flag!, pizza!]) expect(other.pface).toBeLessThan(face!.pface!);
  });

  test('chosen heads, by name and by path; a change of heads is refused without --redo', async () => {
    const own = join(run, 'own.safetensors');
    await writeFile(
      own,
      safetensorsBytes(
        { weight: { shape: [1, 256], data: Array<number>(256).fill(0) }, bias: { shape: [1], data: [0.5] } },
        { output: 'half', input_model: 'mini' },
      ),
    );
    await runOneStage(tag, run, { model: 'mini', heads: ['is_flag', own] }, { redo: true });
    expect(await parquetColumns(join(run, 'tags/00000.parquet'))).toEqual(['hash', 'pflag', 'half']);
    expect((await tags()).map(({ half }) => half)).toEqual([0.5, 0.5, 0.5]);
    await expect(runOneStage(tag, run, { model: 'mini' })).rejects.toThrow(/model file heads\/is_face.safetensors was nothing/);
  });

  test('a head or embeddings of another model are refused', async () => {
    const foreign = join(run, 'foreign.safetensors');
    await writeFile(
      foreign,
      safetensorsBytes({ weight: { shape: [1, 768], data: Array<number>(768).fill(0) } }, { output: 'punsafe', input_model: 'ViT-L/14' }),
    );
    await expect(runOneStage(tag, run, { model: 'mini', heads: [foreign] }, { redo: true })).rejects.toThrow(
      /reads embeddings of ViT-L\/14 \(768 numbers\), not of mini/,
    );
    await expect(runOneStage(tag, run, { model: 'clip-vit-l-14' }, { redo: true })).rejects.toThrow(
      /were made by mini, but --model of tag is clip-vit-l-14\. .* give --model mini/,
    );
    await expect(runOneStage(tag, run, { model: 'mini', heads: ['is_flog'] }, { redo: true })).rejects.toThrow(
      /no head is_flog: it is neither a file nor one of is_face, is_flag/,
    );
  });

  test("a folder of clip-retrieval's: no markers, and hashes that are computed from url and caption", async () => {
    const folder = join(run, 'clip-retrieval');
    await cp(join(run, 'embeddings'), folder, { recursive: true, filter: (path) => !path.includes('_stats') && !path.includes('/_') });
    const rows = await metadata('00000');
    await writeParquet(join(folder, 'metadata/metadata_00000.parquet'), z.object({ caption: z.string(), url: z.string() }), rows);
    const output = join(run, 'other-tags');
    const { summary } = await runOneStage(tag, join(run, 'other'), { model: 'mini' }, { input: folder, output });
    expect(summary).toMatchObject({ in: 3, out: 3 });
    const found = await Array.fromAsync(readParquet<{ hash: bigint }>(join(output, '00000.parquet')));
    expect(found.map(({ hash }) => hash)).toEqual(rows.map(({ hash }) => hash));

    const path = join(folder, 'img_emb/img_emb_00000.npy');
    const writer = await NpyWriter.open(path, 512, '<f2');
    for (let i = 0; i < 3; i++) await writer.writeRow(new Float32Array(512));
    await writer.close();
    const { failed } = await runOneStage(tag, join(run, 'other'), { model: 'mini' }, { input: folder, output: join(run, 'no-tags'), mayFail: true });
    expect(failed).toMatchObject([
      { shard: '00000', message: expect.stringMatching(/holds vectors of 512 numbers, where the head for pface reads 256/) as string },
    ]);
  });
});

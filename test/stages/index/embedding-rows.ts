import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { EmbeddingMetadata, type Pair, withFurtherColumns } from '../../../src/contracts/records.ts';
import { NpyWriter } from '../../../src/formats/npy-writer.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { writeFixtureMarker } from '../release/pair-rows.ts';

export const DIMENSIONS = 16;

/** A vector that is the sample's own. */
export function vectorOf(hash: bigint, salt: number): Float32Array {
  const values = Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(Number((hash >> BigInt(3 * i)) & 0xffffn) + salt));
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

/** Writes embeddings/ of a run: a part for each shard that the keys of the rows name. Further columns are in the rows. */
export async function writeEmbeddings(runDir: string, rows: readonly Pair[], further: Readonly<Record<string, z.ZodType>> = {}): Promise<void> {
  const folder = join(runDir, 'embeddings');
  await rm(folder, { recursive: true, force: true });
  for (const kind of ['img_emb', 'text_emb', 'metadata']) await mkdir(join(folder, kind), { recursive: true });
  for (const part of new Set(rows.map(({ key }) => key.slice(0, 5)))) {
    const own = rows.filter(({ key }) => key.startsWith(part));
    for (const [kind, salt] of [
      ['img_emb', 0],
      ['text_emb', 1],
    ] as const) {
      const writer = await NpyWriter.open(join(folder, kind, `${kind}_${part}.npy`), DIMENSIONS, '<f2');
      for (const { hash } of own) await writer.writeRow(vectorOf(hash, salt));
      await writer.close();
    }
    await writeParquet(
      join(folder, 'metadata', `metadata_${part}.parquet`),
      withFurtherColumns(EmbeddingMetadata, further, 'first'),
      own.map((row) => ({ image_path: row.key, ...row })),
    );
    const files = [`img_emb/img_emb_${part}.npy`, `text_emb/text_emb_${part}.npy`, `metadata/metadata_${part}.parquet`];
    await writeFixtureMarker(folder, 'embed', part, { out: own.length, files, options: { model: 'mini' }, models: { 'mini/a_file.onnx': 'abc' } });
  }
}

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Modality } from '../../../src/contracts/index-description.ts';
import { type NpyType } from '../../../src/formats/npy.ts';
import { NpyWriter } from '../../../src/formats/npy-writer.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { DIMENSIONS, vectorOf } from './embedding-rows.ts';

export interface ForeignPart {
  /** `0`, or `00000`. */
  name: string;
  rows: readonly Record<string, unknown>[];
}

export interface ForeignEmbeddings {
  /** Columns of the metadata; none at all where it is not given. */
  columns?: z.ZodRawShape;
  modalities?: readonly Modality[];
  type?: NpyType;
}

/** The vector of row `i` over all parts. */
export const foreignVector = (i: number, modality: Modality): Float32Array => vectorOf(BigInt(i * 7919 + 13) * 2_654_435_761n, modality === 'image' ? 0 : 1);

/** Writes embeddings as `clip-retrieval inference` does: no markers of ours, no hash. */
export async function writeForeignEmbeddings(
  folder: string,
  parts: readonly ForeignPart[],
  { columns, modalities = ['image', 'text'], type = '<f2' }: ForeignEmbeddings = {},
): Promise<void> {
  const folders = { image: 'img_emb', text: 'text_emb' };
  for (const each of [...modalities.map((modality) => folders[modality]), ...(columns ? ['metadata'] : [])])
    await mkdir(join(folder, each), { recursive: true });
  let first = 0;
  for (const { name, rows } of parts) {
    for (const modality of modalities) {
      const writer = await NpyWriter.open(join(folder, folders[modality], `${folders[modality]}_${name}.npy`), DIMENSIONS, type);
      for (let i = 0; i < rows.length; i++) await writer.writeRow(foreignVector(first + i, modality));
      await writer.close();
    }
    if (columns) await writeParquet(join(folder, 'metadata', `metadata_${name}.parquet`), z.object(columns), rows as never);
    first += rows.length;
  }
}

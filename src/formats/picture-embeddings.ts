import type { Dataset } from '../contracts/dataset.ts';
import { messageOf, ShardError } from '../contracts/errors.ts';
import { npyShape, type NpyType } from './npy.ts';
import { countParquetRows } from './parquet.ts';

/** The pictures of a part of embeddings/: local paths of their vectors and of their metadata, of which row i is the same sample. */
export interface PictureEmbeddings {
  images: string;
  metadata: string;
  rows: number;
  dimensions: number;
  type: NpyType;
}

/** Throws ShardError where the part can't be read, or its files don't fit together. */
export async function fetchPictureEmbeddings(embeddings: Dataset, part: string): Promise<PictureEmbeddings> {
  const images = await embeddings.fetch(`img_emb/img_emb_${part}.npy`);
  const metadata = await embeddings.fetch(`metadata/metadata_${part}.parquet`);
  const shape = await npyShape(images).catch((error: unknown) => {
    throw new ShardError(`${messageOf(error)}. Make the embeddings again.`, { cause: error });
  });
  const rows = await countParquetRows(metadata);
  if (rows !== shape.rows) throw new ShardError(`${metadata} has ${rows} rows where ${images} has ${shape.rows}. Make the part again (pairmill embed).`);
  return { images, metadata, ...shape };
}

import { z } from 'zod';
import type { Dataset, DatasetState } from '../../contracts/dataset.ts';
import { messageOf, ShardError, UsageError } from '../../contracts/errors.ts';
import { type Modality, modalities } from '../../contracts/index-description.ts';
import { npyShape } from '../../formats/npy.ts';
import { countParquetRows } from '../../formats/parquet.ts';
import { stableJson } from '../../runtime/stable-json.ts';
import { type MetadataColumns, metadataColumns } from './metadata-columns.ts';

/** Files of the parts in clip-retrieval's layout; the group is the part's name. */
export const embeddingFiles = /^(?:img_emb\/img_emb|text_emb\/text_emb|metadata\/metadata)_(\d+)\.(?:npy|parquet)$/;

/** One part of embeddings/, its files relative to the dataset. */
export const EmbeddingPart = z.object({ metadata: z.string().optional(), image: z.string().optional(), text: z.string().optional() });
export type EmbeddingPart = z.infer<typeof EmbeddingPart>;

const folders: Record<Modality, string> = { image: 'img_emb/', text: 'text_emb/' };
const METADATA = 'metadata/';

/** The parts of embeddings/ in the order of their names, which is clip-retrieval's. Throws UsageError where one lacks a file. */
export function embeddingParts({ shards }: DatasetState): EmbeddingPart[] {
  const has = (folder: string): boolean => shards.some(({ files }) => files.some((file) => file.startsWith(folder)));
  const found = modalities.filter((modality) => has(folders[modality]));
  if (found.length === 0) throw new UsageError('The embeddings hold neither img_emb/ nor text_emb/. Run embed first, or name its output with --input.');
  const wanted = [...found.map((modality) => [modality, folders[modality]] as const), ...(has(METADATA) ? [['metadata', METADATA] as const] : [])];
  return shards
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, files }) =>
      Object.fromEntries(
        wanted.map(([kind, folder]) => {
          const path = files.find((each) => each.startsWith(folder));
          if (path === undefined)
            throw new UsageError(`Part ${name} of the embeddings has no file in ${folder}: it is not complete. Make it again, or take away its other files.`);
          return [kind, path];
        }),
      ),
    );
}

/** A model by which embeddings were made. */
export const EmbeddingModel = z.object({ id: z.string(), sha256: z.record(z.string(), z.string()) });
export type EmbeddingModel = z.infer<typeof EmbeddingModel>;

/** The distinct models that the markers name. */
export function embeddingModels({ shards }: DatasetState): EmbeddingModel[] {
  const models = new Map<string, EmbeddingModel>();
  for (const { madeBy } of shards) {
    if (!madeBy) continue;
    const model = { id: String(madeBy.options['model'] ?? ''), sha256: { ...madeBy.models } };
    models.set(stableJson(model), model);
  }
  return [...models.values()];
}

/** Which model made the embeddings; its id is empty where nobody says it. Throws where they are of several. */
export function oneModel(models: readonly EmbeddingModel[], given: string | undefined): EmbeddingModel {
  if (models.length > 1)
    throw new ShardError(
      `The embeddings are of several models (${models.map(({ id }) => id).join(', ')}): an index can't compare them. Make them again with one.`,
    );
  const [{ id, sha256 } = { id: '', sha256: {} }] = models;
  return { id: given ?? id, sha256 };
}

/** A part with local paths. */
export interface LocalPart {
  metadata?: string;
  columns?: MetadataColumns;
  vectors: Partial<Record<Modality, string>>;
  rows: number;
  dimensions: number;
}

/** Fetches the parts, and checks that each fits together and all fit one another. */
export async function fetchParts(embeddings: Dataset, parts: readonly EmbeddingPart[], signal: AbortSignal): Promise<LocalPart[]> {
  const fetched: LocalPart[] = [];
  for (const part of parts) {
    signal.throwIfAborted();
    fetched.push(await fetchPart(embeddings, part, fetched[0]?.dimensions));
  }
  return fetched;
}

async function fetchPart(embeddings: Dataset, part: EmbeddingPart, dimensions: number | undefined): Promise<LocalPart> {
  const vectors: LocalPart['vectors'] = {};
  let first: { path: string; rows: number; dimensions: number } | undefined;
  for (const modality of modalities) {
    const file = part[modality];
    if (file === undefined) continue;
    const path = (vectors[modality] = await embeddings.fetch(file));
    const shape = await npyShape(path).catch((error: unknown) => {
      throw new ShardError(`${messageOf(error)}. Make the embeddings again.`, { cause: error });
    });
    const expected = dimensions ?? first?.dimensions ?? shape.dimensions;
    if (shape.dimensions !== expected)
      throw new ShardError(`${path} has vectors of ${shape.dimensions} values, other parts of ${expected}. Make the embeddings again with one model.`);
    first ??= { path, ...shape };
    assertRows(path, shape.rows, first);
  }
  const { rows, dimensions: own } = first!;
  if (part.metadata === undefined) return { vectors, rows, dimensions: own };
  const metadata = await embeddings.fetch(part.metadata);
  const columns = await metadataColumns(metadata);
  assertRows(metadata, await countParquetRows(metadata), first!);
  return { metadata, columns, vectors, rows, dimensions: own };
}

/** Row i of a file of a part belongs to row i of its others. */
function assertRows(path: string, rows: number, first: { path: string; rows: number }): void {
  if (rows !== first.rows)
    throw new ShardError(`${path} has ${rows} rows and ${first.path} has ${first.rows}: they do not belong together. Make that part again.`);
}

import { z } from 'zod';

/** What an index can be searched by: the vectors of the pictures or those of the captions. */
export const modalities = ['image', 'text'] as const;
export const Modality = z.enum(modalities);
export type Modality = z.infer<typeof Modality>;

/** Share of the true nearest neighbours that a search finds, as a mean over queries with its 95 % interval. */
export const Recall = z.object({ mean: z.number(), low: z.number(), high: z.number() });
export type Recall = z.infer<typeof Recall>;

/** How the vectors of one modality are searched. */
export const VectorIndexDescription = z.object({
  /** `flat`: every vector is compared. `ivf_rq`: LanceDB's inverted lists with RaBitQ codes, rescored with the vectors. */
  kind: z.enum(['flat', 'ivf_rq']),
  /** float16, row-major, little-endian; the row of a sample is its id less `base`. */
  file: z.string(),
  base: z.int(),
  lists: z.int().optional(),
  bits: z.int().optional(),
  nprobes: z.int().optional(),
  /** Candidates rescored for each result. */
  refine: z.int().optional(),
  /** Against exact search, with the parameters above; absent where the search is exact. */
  recall: z.object({ at_10: Recall, at_100: Recall, queries: z.int(), queried_with: Modality }).optional(),
});
export type VectorIndexDescription = z.infer<typeof VectorIndexDescription>;

/** A column of the user's own. Whatever is no number or truth value is text, lists and times as JSON. */
export const FurtherColumn = z.object({ name: z.string(), type: z.enum(['text', 'integer', 'number', 'boolean']) });
export type FurtherColumn = z.infer<typeof FurtherColumn>;

/**
 * `index/index.json`, the pointer to an index: each build lies in a folder of its own, and this file, replaced last, names it. Paths
 * are relative to the folder of this file.
 */
export const IndexDescription = z.object({
  tool: z.literal('pairmill'),
  version: z.string(),
  format: z.literal(1),
  /** The id is empty where nobody said which model made the vectors. */
  model: z.object({ id: z.string(), sha256: z.record(z.string(), z.string()) }),
  dimensions: z.int(),
  rows: z.int(),
  /** Of the LanceDB table: `NNNNN-N`, the shard and the number of the build. */
  folder: z.string(),
  vectors: z.partialRecord(Modality, VectorIndexDescription),
  /** Columns of tags, by which a search can be filtered. */
  heads: z.array(z.string()),
  /** Columns of the user's own, shown with a result; column i of the table is `further_i`. */
  further: z.array(FurtherColumn).default([]),
  /** Most frequent first; the empty string is "none found". */
  languages: z.array(z.object({ language: z.string(), rows: z.int() })),
  /** Of the release whose rows these are; null where the rows are those of the embeddings, all of them in their order. */
  release: z.object({ fingerprint: z.string() }).nullable(),
});
export type IndexDescription = z.infer<typeof IndexDescription>;

/** A row of an index without its vectors. */
export interface IndexedSample {
  /** What kNN clients see: given once, never reused, never a row number of the table. */
  id: number;
  hash: bigint;
  /** Empty where it is not known, as are caption, key and language. */
  url: string;
  caption: string;
  /** Name of the sample's members in the tars of pairs/, or the path of the picture's file. */
  key: string;
  language: string;
  licence: string | null;
  NSFW: string | null;
  similarity: number | null;
  width: number | null;
  height: number | null;
  /** By head. */
  tags: Record<string, number | null>;
  /** By column of the user's own. */
  further: Record<string, FurtherValue>;
}

export type FurtherValue = string | number | bigint | boolean | null;

import { z } from 'zod';
import { Modality } from './index-description.ts';

/**
 * The search API, version 1, between `serve` and the page (or anyone). `hash` is a decimal string: as a JSON number it
 * would lose its last digits in JavaScript.
 */

const Result = z.object({
  id: z.int().describe('in this index'),
  hash: z.string().describe('identity of the sample'),
  score: z.number().describe('cosine of the query and the vector'),
  url: z.string().describe('where the picture was found; empty where that is not known'),
  caption: z.string().describe('text, never HTML'),
  language: z.string().describe('empty where none was found'),
  licence: z.string().nullable(),
  similarity: z.number().nullable().describe('cosine of picture and caption, by the model of filter'),
  width: z.int().nullable(),
  height: z.int().nullable(),
  tags: z.record(z.string(), z.number().nullable()),
  further: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]).nullable())
    .describe('columns of your own; a whole number beyond 2^53 is a string'),
  others: z.int().describe('further results with the same picture that `distinct` left out'),
  image: z.string().nullable().describe('path of the picture on this server; null where it has no pictures'),
});
export type SearchResult = z.infer<typeof Result>;

/** GET or POST /api/v1/search */
export const SearchResponse = z.object({
  index: z.string(),
  modality: Modality,
  took_ms: z.number(),
  results: z.array(Result),
});
export type SearchResponse = z.infer<typeof SearchResponse>;

/** GET /api/v1/index */
export const IndexResponse = z.object({
  name: z.string(),
  model: z.string().describe('the one that made the vectors, or that serve was given for them; empty where neither is known'),
  encodes: z.boolean().describe('whether a text or a picture can be the query: not without a model'),
  first: z.string().nullable().describe('hash of a sample to begin with'),
  rows: z.int(),
  dimensions: z.int(),
  modalities: z.array(Modality),
  recall: z.partialRecord(Modality, z.number()).describe('recall at 10 of the search; 1 where it is exact'),
  languages: z.array(z.object({ language: z.string(), rows: z.int() })),
  heads: z.array(z.string()),
  similarity: z.boolean().describe('whether it is known how well pictures and captions fit: not where nothing was filtered'),
  pictures: z.boolean().describe('whether this server has the pictures'),
});
export type IndexResponse = z.infer<typeof IndexResponse>;

/** Any response with a status of 400 or more. */
export const ErrorResponse = z.object({ message: z.string() });
export type ErrorResponse = z.infer<typeof ErrorResponse>;

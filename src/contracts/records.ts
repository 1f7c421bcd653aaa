import { z } from 'zod';

/**
 * Every record that passes between stages, as a zod schema; the Parquet columns (order, type, nullability) and the
 * TypeScript types derive from it. Parquet types by zod type: string = STRING, bigint (int64) = INT64, int32 = INT32,
 * float32 = FLOAT, number = DOUBLE, boolean = BOOLEAN, bytes = BYTE_ARRAY; `.nullable()` = OPTIONAL.
 */

/** Bytes as they are, in a column. */
export const Bytes = z.instanceof(Uint8Array);

/** The three sets of LAION-5B: English, another known language, no language. */
export const setNames = ['en', 'multi', 'nolang'] as const;
export const SetName = z.enum(setNames);
export type SetName = z.infer<typeof SetName>;

/** The set to which a sample belongs by its language. */
export function setOfLanguage(language: string): SetName {
  if (language === '') return 'nolang';
  return language === 'en' ? 'en' : 'multi';
}

/** An image link with its text. `candidates/NNNNN.parquet` (extract) and `links/SET/NNNNN.parquet` (dedup). */
export const Candidate = z.object({
  url: z.string().describe('absolute http(s) URL of the image'),
  text: z.string().describe('alt text, cleaned; at most --max-text-length characters'),
  language: z.string().describe('ISO 639-1, else 639-3; empty where none was found'),
  language_confidence: z.float32().describe('of the detector, 0 to 1; 0 where none was found'),
  licence: z.string().nullable().describe('creativecommons.org licence URL that the page links to'),
  hash: z.int64().describe('first half of MurmurHash3 x64 128 of url + text: the identity'),
  uid: z.string().describe("md5 of text + url in hex, cc2dataset's identity"),
  page_url: z.string().describe('the page that shows the image'),
  crawl_file: z.string().describe('name of the crawl file'),
  record_offset: z.int64().describe("byte offset of the record's gzip member in the crawl file"),
  words: z.int32().describe('words of the text (runs between white space)'),
  characters: z.int32().describe('code points of the text'),
  alphanumeric_share: z.float32().describe('share of letters and digits among the code points'),
  special_share: z.float32().describe('share of code points that are neither letter, digit nor white space'),
  repetition_share: z.float32().describe('share of the text covered by its longest repeated word n-gram'),
});
export type Candidate = z.infer<typeof Candidate>;

/** `links/SET/NNNNN.parquet`: a candidate that passed the global dedup. */
export const Link = Candidate;
export type Link = Candidate;

/**
 * `batches/NNNNN.parquet`: links to download, drawn from the database or cut out of a list, in the order of the samples to be.
 * Further columns of the links come after these.
 */
export const BatchLink = z.object({
  hash: z.int64(),
  url: z.string(),
  text: z.string().describe('empty where there is none'),
  language: z.string(),
  licence: z.string().nullable(),
  uid: z.string(),
  page_url: z.string(),
  crawl_file: z.string(),
  record_offset: z.int64().nullable(),
});
export type BatchLink = z.infer<typeof BatchLink>;

/** A schema of ours with the columns of an input that it does not know, first or last. They may all be null. */
export function withFurtherColumns<S extends z.ZodObject>(known: S, further: Readonly<Record<string, z.ZodType>>, where: 'first' | 'last'): S {
  const unknown = Object.fromEntries(Object.entries(further).filter(([name]) => !Object.hasOwn(known.shape, name)));
  return z.object(where === 'first' ? { ...unknown, ...known.shape } : { ...known.shape, ...unknown }) as unknown as S;
}

/**
 * `samples/NNNNN.parquet`: a row for every link of the batch, failed ones too; order of img2dataset: input columns,
 * caption, url, then key … exif and the file's hash. The tar holds the successes only. Further columns of the input
 * come first (`withFurtherColumns`).
 */
export const Sample = z.object({
  language: z.string(),
  licence: z.string().nullable(),
  hash: z.int64(),
  uid: z.string(),
  page_url: z.string(),
  crawl_file: z.string(),
  record_offset: z.int64().nullable().describe('null where it is not known'),
  caption: z.string(),
  url: z.string(),
  key: z.string().describe('nine digits: shard, then index'),
  status: z.enum(['success', 'failed_to_download', 'failed_to_resize']),
  error_message: z.string().nullable(),
  width: z.int32().nullable(),
  height: z.int32().nullable(),
  original_width: z.int32().nullable(),
  original_height: z.int32().nullable(),
  exif: z.string().nullable().describe('JSON'),
  sha256: z.string().nullable().describe('hex, of the bytes as downloaded'),
});
export type Sample = z.infer<typeof Sample>;

/** `pairs/NNNNN.parquet`: what passed the filter. */
export const Pair = Sample.extend({
  similarity: z.float32().describe('cosine of image and text'),
  NSFW: z.string().nullable().describe("LAION's UNLIKELY, UNSURE or NSFW; null where no categories were given"),
});
export type Pair = z.infer<typeof Pair>;

/** `scores/NNNNN.parquet`: what filter's models say of each sample, in the order of the tar; nothing is dropped. */
export const SampleScore = z.object({
  key: z.string(),
  hash: z.int64(),
  language: z.string(),
  similarity: z.float32().nullable().describe('cosine of image and text; null where there is none'),
  NSFW: Pair.shape.NSFW,
  reason: z.string().nullable().describe('for which filter drops it whatever its similarity; null where there is none'),
  value: z.string().nullable().describe('what was wrong with it'),
});
export type SampleScore = z.infer<typeof SampleScore>;

/** `embeddings/metadata/metadata_NNNNN.parquet`: row i belongs to row i of img_emb and text_emb. */
export const EmbeddingMetadata = z.object({
  image_path: z.string().describe("the sample's key, as clip-retrieval names it"),
  ...Pair.omit({ caption: true }).shape,
  caption: z.string(),
});
export type EmbeddingMetadata = z.infer<typeof EmbeddingMetadata>;

/** `semantic-duplicates/NNNNN.parquet`: a row for each embedding, by ascending hash. */
export const SemanticDuplicate = z.object({
  hash: z.int64(),
  cluster: z.int32().describe('number of its cluster'),
  nearest: z.int64().nullable().describe('hash of the most similar picture of those that come before it in its cluster; null where none does'),
  cosine: z.float32().nullable().describe('with that one, to six decimals'),
  semantic_duplicate_of: z.int64().nullable().describe('hash of the picture that stays for it; null where it stays itself'),
});
export type SemanticDuplicate = z.infer<typeof SemanticDuplicate>;

/** `rejects/STAGE/NNNNN.parquet`: what was dropped, without bytes. */
export const Reject = z.object({
  hash: z.int64().nullable(),
  url: z.string(),
  text: z.string().nullable(),
  reason: z.string(),
  value: z.string().nullable().describe('what was measured'),
  threshold: z.string().nullable().describe('what it was compared with'),
});
export type Reject = z.infer<typeof Reject>;

/**
 * `release/SET/part-NNNNN-UUID-c000.snappy.parquet`: LAION's columns, then ours, then a FLOAT column for each further
 * head of `tags/`. `LANGUAGE` is absent in `en`. No `key` and no shard: these depend on how batches were drawn, and the
 * release must not; `hash` leads to the sample.
 */
export const Release = z.object({
  SAMPLE_ID: z.int64().describe('the hash, as a number of its own in the files of LAION'),
  URL: z.string(),
  TEXT: z.string(),
  WIDTH: z.int32(),
  HEIGHT: z.int32(),
  LICENSE: z.string().nullable(),
  LANGUAGE: z.string(),
  NSFW: z.string().nullable(),
  similarity: z.number(),
  hash: z.int64(),
  pwatermark: z.float32().nullable(),
  punsafe: z.float32().nullable(),
  page_url: z.string().nullable(),
});
export type Release = z.infer<typeof Release>;

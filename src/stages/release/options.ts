import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import { MAX_HASH_DISTANCE } from '../../pictures/hash-neighbours.ts';

/** Instead of a cosine: what semdedup has marked by its own. */
export const MARKED = 'marked';

function isCosine(text: string): boolean {
  const cosine = Number(text);
  return text.trim() !== '' && cosine >= -1 && cosine <= 1;
}

export const releaseOptions = z.object({
  tags: option(z.string().optional(), "Folder of tags to join by hash, instead of the run's tags/", {
    value: 'DIR',
    path: 'one',
    often: true,
    decidesResult: false,
  }),
  columns: option(z.array(z.string()).default([]), 'Further columns of the pairs (words, uid, your own) that the release has after all others', {
    value: 'NAME,…',
    often: true,
  }),
  dropNearDuplicates: option(
    z.int().min(0).max(MAX_HASH_DISTANCE).optional(),
    'Drop pairs whose picture looks like that of another pair: their perceptual hashes differ in at most this many of 64 bits. The pair with the smallest hash stays',
    { bare: '8', unit: 'bits', often: true },
  ),
  dropSemanticDuplicates: option(
    z
      .string()
      .refine((value) => value === MARKED || isCosine(value), `expected a cosine from -1 to 1, or ${MARKED}`)
      .optional(),
    `Drop pairs whose picture shows the same as another by semdedup (docs/semdedup.md): those that it marked, or, with a number, those whose cosine is at least that`,
    { bare: MARKED, value: 'COSINE', often: true },
  ),
  semanticDuplicates: option(z.string().optional(), "Folder of what semdedup wrote, instead of the run's semantic-duplicates/", {
    value: 'DIR',
    path: 'one',
    decidesResult: false,
  }),
  seed: option(z.int().default(1), 'Seed of the order of the rows', { often: true }),
  rowsPerPart: option(z.int().min(1).default(1_000_000), 'Rows of one Parquet file at most', {
    unit: 'rows',
    often: true,
    note: 'LAION has 128 files a set whatever its size; a file of a million rows is about 150 MB and opens on any machine',
  }),
  memory: option(z.int().min(100).default(1024), 'Memory for sorting and joining; the rest goes to disk', { unit: 'MB', decidesResult: false, shared: true }),
});
export type ReleaseOptions = z.output<typeof releaseOptions>;

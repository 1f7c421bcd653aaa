import { z } from 'zod';
import { option } from '../../contracts/option.ts';

export const indexOptions = z.object({
  release: option(z.string().optional(), "Folder of the release whose rows are indexed, instead of the run's release/", {
    value: 'DIR',
    path: 'one',
    often: true,
    decidesResult: false,
  }),
  model: option(z.string().optional(), 'Model that made the embeddings, where their markers do not say it', {
    value: 'MODEL',
    path: 'name',
    shared: true,
    often: true,
  }),
  flatBelow: option(z.int().min(0).default(50_000), 'Below this many rows no lists are built: every vector is compared, and recall is 1', {
    unit: 'rows',
    note: 'an exact search of 50,000 x 512 takes about 35 ms of one core',
  }),
  lists: option(z.int().min(0).default(0), 'Inverted lists; 0 chooses the power of two nearest to the square root of the rows'),
  bits: option(z.int().min(1).max(8).default(1), 'Bits a dimension of the RaBitQ codes; more need more memory and find more before rescoring', {
    unit: 'bits',
  }),
  nprobes: option(z.int().min(1).default(40), 'Lists that a search looks into', { often: true }),
  refine: option(z.int().min(1).default(5), 'Candidates rescored with the float16 vectors for each result', { often: true }),
  recallQueries: option(z.int().min(1).default(200), 'Queries by which recall is measured'),
  seed: option(z.int().default(1), 'Seed of the choice of the queries by which recall is measured'),
  memory: option(z.int().min(100).default(1024), 'Memory for joining; the rest goes to disk', { unit: 'MB', decidesResult: false, shared: true }),
});
export type IndexOptions = z.output<typeof indexOptions>;

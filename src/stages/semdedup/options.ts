import { z } from 'zod';
import { option } from '../../contracts/option.ts';

/** Which of two duplicates counts as the first, and stays. */
export const keepOrders = ['hash', 'hard', 'easy'] as const;

export const semdedupOptions = z.object({
  cosine: option(
    z.number().min(-1).max(1).default(0.95),
    'Cosine from which on two pictures of a cluster are semantic duplicates: 1 - eps in the terms of SemDeDup',
    { often: true, note: "SemDeDup's users choose eps for their data; curve.svg shows what each cosine would drop" },
  ),
  clusters: option(z.int().min(0).default(0), 'Clusters of k-means; 0 chooses the power of two nearest to the square root of the embeddings', {
    aliases: ['n-clusters', 'num-clusters'],
    often: true,
    note: 'so that finding the clusters costs about as much as comparing within them; fewer clusters miss fewer pairs and take longer',
  }),
  whichToKeep: option(
    z.enum(keepOrders).default('hash'),
    'Which of two duplicates stays: the one with the smaller hash, the one farther from the centre of its cluster (hard), or the one nearer to it (easy)',
    { often: true, note: "SemDeDup's is hard, and NeMo's too; the smallest hash stays wherever Pairmill drops duplicates" },
  ),
  iterations: option(z.int().min(1).default(20), 'Iterations of k-means at most', { aliases: ['max-iter', 'niter'] }),
  pointsPerCentroid: option(z.int().min(1).default(64), 'Embeddings for each cluster, drawn at random, by which the centres are found', {
    aliases: ['max-points-per-centroid'],
    unit: 'embeddings',
    note: 'faiss takes at most 256 and warns below 39',
  }),
  seed: option(z.int().default(1), 'Seed of the embeddings that are drawn', { aliases: ['random-state'], often: true }),
  memory: option(z.int().min(100).default(1024), 'Memory for putting the embeddings in the order of their clusters', {
    unit: 'MB',
    decidesResult: false,
    shared: true,
  }),
});
export type SemdedupOptions = z.output<typeof semdedupOptions>;

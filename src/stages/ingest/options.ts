import { z } from 'zod';
import { option } from '../../contracts/option.ts';

export const ingestOptions = z.object({
  stagingHigh: option(
    z.int().positive().default(5_000_000),
    'Links that may wait in the database to be drawn: while there are as many, no further shard is copied in. At least two batches',
    { often: true, unit: 'links', decidesResult: false },
  ),
});

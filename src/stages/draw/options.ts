import { z } from 'zod';
import { option } from '../../contracts/option.ts';

export const drawOptions = z.object({
  numberSamplePerShard: option(z.int().positive().default(10_000), 'Links in a batch, and so samples in a shard', { often: true }),
});

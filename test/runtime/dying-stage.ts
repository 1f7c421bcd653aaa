import { z } from 'zod';
import type { Stage } from '../../src/contracts/stage.ts';

const DyingWork = z.object({ ends: z.enum(['while it runs', 'afterwards', 'never']) });

/** The pipeline of worker threads of which one ends: a stage that ends its thread, while a shard runs or when it idles again. */
const dying: Stage<'dying', z.ZodObject, z.output<typeof DyingWork>> = {
  name: 'dying',
  does: 'Ends its thread.',
  reads: [],
  writes: 'made',
  unit: 'items',
  format: 1,
  options: z.object({}),
  work: DyingWork,
  plan: () => ({ shards: [], complete: true }),
  async run({ work: { ends } }) {
    if (ends === 'while it runs') process.exit(1);
    if (ends === 'afterwards') setTimeout(() => process.exit(1), 1_000);
    return { in: 0, out: 0 };
  },
};
export const pipeline = [dying];

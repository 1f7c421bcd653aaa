import { z } from 'zod';
import { option } from '../../contracts/option.ts';

export const ingestOptions = z.object({
  stagingHigh: option(
    z.int().positive().default(500_000_000),
    'Links that may wait in the database to be drawn: when there are as many, no further shard is copied in until --staging-low is reached',
    { often: true, unit: 'links', decidesResult: false },
  ),
  stagingLow: option(
    z.int().nonnegative().default(20_000_000),
    'Links that wait in the database when shards are copied in again after --staging-high was reached, or earlier where less than a batch waits',
    { often: true, unit: 'links', decidesResult: false },
  ),
});

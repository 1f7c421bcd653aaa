import type { z } from 'zod';
import type { RunContext, SampleReceiver, Shard, Stage } from '../contracts/stage.ts';
import type { Storage } from '../contracts/storage.ts';
import type { JobHost, JobResult, ShardJob } from './shard-job.ts';
import { ShardMaking } from './shard-making.ts';

/** What one of the two stages works with. */
export interface FusedPart {
  stage: Stage;
  job: ShardJob & { shard: Shard };
  own: Storage;
  context: RunContext<z.output<z.ZodObject>>;
}

/**
 * Makes a shard of samples and, of the samples as they are packed, the shard that another stage makes of it. The tar between them is
 * counted and hashed and never on a disk, so that both markers are those of two separate runs after which it was removed.
 *
 * The marker of the samples comes last: with it both are finished, without it both are made again.
 */
export async function makeFusedShard(from: FusedPart, to: FusedPart, host: JobHost): Promise<JobResult> {
  const { shard } = from.job;
  let receiver: SampleReceiver | undefined;
  let taking: ShardMaking | undefined;
  const making = await ShardMaking.begin({
    ...from,
    host,
    scratch: from.context.scratch,
    handOver: async (columns: z.ZodObject) => {
      receiver = await to.stage.receive!(shard, to.context, taking!.effects, columns);
      return receiver;
    },
  });
  try {
    // Its figures are added when it is finished: progress is that of one stage.
    taking = await ShardMaking.begin({ ...to, host: { ...host, progress: () => undefined }, scratch: to.context.scratch });
    const packed = await from.stage.run({ ...shard, work: from.stage.work.parse(shard.work) }, from.context, making.effects);
    if (!receiver) throw new Error(`${from.stage.name} has handed no samples over`);
    const taken = await receiver.result();
    const samples = await making.publish(packed);
    const pairs = await taking.publish(taken, { [`${from.stage.writes}/${shard.name}`]: samples.digest });
    await taking.mark(pairs);
    await making.mark(samples);
    return { marker: samples, fused: pairs };
  } catch (error) {
    await taking?.discard();
    await making.discard();
    throw error;
  }
}

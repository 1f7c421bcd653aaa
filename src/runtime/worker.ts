import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, RunError } from '../contracts/errors.ts';
import type { Stage } from '../contracts/stage.ts';
import { faultPoint } from './fault-point.ts';
import { runShardJob } from './shard-job.ts';
import type { FromWorker, ToWorker, WorkerSettings } from './thread-executor.ts';

/** A worker thread of the thread executor: loads the pipeline, runs the shards that it is sent, one at a time. */

const port = parentPort!;
const settings = workerData as WorkerSettings;
const { pipeline } = (await import(settings.pipelineUrl)) as { pipeline: readonly Stage[] };
const reached = faultPoint(settings.killAt);
const controller = new AbortController();

/** Progress is summed and sent a few times a second: a message an item would cost more than the item. */
let pending = { in: 0, out: 0, dropped: 0 };
const send = (message: FromWorker): void => port.postMessage(message);
const flush = (): void => {
  if (pending.in || pending.out || pending.dropped) send({ progress: pending });
  pending = { in: 0, out: 0, dropped: 0 };
};
setInterval(flush, 200).unref();

port.on('message', (message: ToWorker) => {
  if ('stop' in message) {
    controller.abort();
    void Promise.all(pipeline.map(async (stage) => stage.close?.())).finally(() => port.close());
    return;
  }
  const { job } = message;
  const stage = pipeline.find(({ name }) => name === job.stage)!;
  runShardJob(stage, job, {
    signal: controller.signal,
    reached,
    progress: (counts) => {
      pending.in += counts.in ?? 0;
      pending.out += counts.out ?? 0;
      pending.dropped += counts.dropped ?? 0;
    },
  }).then(
    (done) => {
      flush();
      send({ done });
    },
    (error: unknown) => {
      flush();
      send({
        failed: { kind: error instanceof RunError ? 'run' : 'shard', message: messageOf(error), stack: error instanceof Error ? error.stack : undefined },
      });
    },
  );
});
